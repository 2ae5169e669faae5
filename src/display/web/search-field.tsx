interface SearchFieldProps {
  readonly text: string;
  readonly onInput: (text: string) => void;
  readonly isWrong: boolean;
  /** Said beside the field: what was found, or what is wrong. */
  readonly status?: string | undefined;
  readonly label?: string;
  /** What may be typed. */
  readonly hint?: string;
  readonly title?: string;
}

/** A field for what is looked for in a view; the key `/` puts the cursor there. */
export function SearchField(props: SearchFieldProps) {
  const { text, onInput, isWrong, status, label = 'Search', hint = 'regular expression', title } = props;
  return (
    <>
      {status !== undefined && <span role="status">{status}</span>}
      <input
        type="search"
        class={isWrong ? 'bad' : ''}
        placeholder={`${label}: ${hint} ( / )`}
        aria-label={label}
        {...(title === undefined ? {} : { title })}
        size={30}
        value={text}
        onInput={(event) => onInput(event.currentTarget.value)}
        onKeyDown={(event) => {
          if (event.key === 'Escape') onInput('');
        }}
      />
    </>
  );
}

interface NameSearchProps extends Pick<SearchFieldProps, 'text' | 'onInput'> {
  /** What useSearch made of the text. */
  readonly pattern: RegExp | 'wrong' | undefined;
  /** How much of what is shown matches. */
  readonly found?: string;
}

/** The search field of a view of names. */
export function NameSearch({ text, onInput, pattern, found }: NameSearchProps) {
  const isWrong = pattern === 'wrong';
  const matched = pattern === undefined || found === undefined ? undefined : `${found} matched`;
  return (
    <SearchField
      text={text}
      onInput={onInput}
      isWrong={isWrong}
      status={isWrong ? 'not a regular expression' : matched}
    />
  );
}
