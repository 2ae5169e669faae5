/** A data file as the list of a server has it. */
export interface FileListing {
  /** What its addresses are made of. */
  readonly id: string;
  readonly name: string;
  /** The folder that it was found in, where there are several. */
  readonly folder?: string;
  /** Bytes. */
  readonly size: number;
  /** Of a run that was cut off, or still goes on. */
  readonly isPartial: boolean;
  /** Why it cannot be shown; what follows is missing then. */
  readonly problem?: string;
  readonly host?: string;
  /** ISO 8601 UTC. */
  readonly start?: string;
  /** Null where the run was cut off. */
  readonly seconds?: number | null;
  readonly interfaces?: readonly string[];
}
