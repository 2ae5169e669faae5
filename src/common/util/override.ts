/** A method of any class: what decorators are given. */
type Method = (this: never, ...args: never[]) => unknown;

/**
 * `@override(Base)`: checks, when the class is defined, that the method is one that `Base` (or a class above it) has, static
 * methods included. For methods that TypeScript's own `override` cannot see, such as those of a class that is known only
 * at run time. Abstract methods leave no trace at run time: there it is the keyword's turn.
 * @throws TypeError at the class definition.
 */
export function override(base: abstract new (...args: never[]) => object) {
  return <M extends Method>(method: M, context: ClassMethodDecoratorContext): M => {
    const owner: unknown = context.static ? base : base.prototype;
    const inherited: unknown = context.private ? undefined : (owner as Record<PropertyKey, unknown>)[context.name];
    if (typeof inherited !== 'function') {
      throw new TypeError(`${String(context.name)} overrides nothing: ${base.name} has no such method`);
    }
    return method;
  };
}
