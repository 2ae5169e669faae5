import { inspect } from 'node:util';
import { log } from '../log.ts';

const MAX_ARGUMENT_LENGTH = 200;

/**
 * `@logged`: writes entry, exit, arguments and exceptions of a method to the log. A promise exits when it is settled, an
 * async generator when it ends, with the number of what it has yielded. Not for methods that run thousands of times.
 */
export function logged<This, Args extends unknown[], Result>(
  method: (this: This, ...args: Args) => Result,
  context: ClassMethodDecoratorContext<This>,
): (this: This, ...args: Args) => Result {
  return function (this: This, ...args: Args): Result {
    const call = new Call(`${ownerName(this)}.${String(context.name)}`, args);
    let result: Result;
    try {
      result = method.apply(this, args);
    } catch (error) {
      throw call.failed(error);
    }
    if (isAsyncGenerator(result)) return watchGenerator(result, call) as Result;
    if (result instanceof Promise) return watchPromise(result, call) as Result;
    call.left();
    return result;
  };
}

/** One call of a logged method. */
class Call {
  constructor(
    readonly name: string,
    args: readonly unknown[],
  ) {
    log('debug', `enter ${name}`, { arguments: args.map(brief) });
  }

  left(fields: Record<string, unknown> = {}): void {
    log('debug', `leave ${this.name}`, fields);
  }

  failed(error: unknown): unknown {
    log('debug', `${this.name} threw`, { error: error instanceof Error ? error.stack : brief(error) });
    return error;
  }
}

async function watchPromise<T>(promise: Promise<T>, call: Call): Promise<T> {
  try {
    const value = await promise;
    call.left();
    return value;
  } catch (error) {
    throw call.failed(error);
  }
}

async function* watchGenerator<T>(generator: AsyncGenerator<T>, call: Call): AsyncGenerator<T> {
  let yielded = 0;
  let failed = false;
  try {
    for await (const value of generator) {
      yielded++;
      yield value;
    }
  } catch (error) {
    failed = true;
    throw call.failed(error);
  } finally {
    // Also where the caller stops asking.
    if (!failed) call.left({ yielded });
  }
}

function isAsyncGenerator(value: unknown): value is AsyncGenerator {
  return typeof value === 'object' && value !== null && Symbol.asyncIterator in value && 'next' in value;
}

/** The class of an instance, or the class itself for a static method. */
function ownerName(owner: unknown): string {
  if (typeof owner === 'function') return owner.name;
  return owner instanceof Object ? owner.constructor.name : typeof owner;
}

function brief(value: unknown): string {
  const text = inspect(value, {
    depth: 1,
    breakLength: Number.POSITIVE_INFINITY,
    maxArrayLength: 5,
    maxStringLength: 100,
  });
  return text.length > MAX_ARGUMENT_LENGTH ? `${text.slice(0, MAX_ARGUMENT_LENGTH)}...` : text;
}
