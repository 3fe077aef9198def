/** What a batch adds to one device's account of one local day. All counts may be negative (a replay moves them). */
export interface LedgerDelta {
  /** Local day of receipt, `YYYY-MM-DD`. */
  day: string;
  /** Device id, or `(unknown)`. */
  device: string;
  messages: { received: number; decoded: number; ignored: number; quarantined: number };
  values: {
    decoded: number;
    stored: number;
    duplicate: number;
    conflict: number;
    quarantined: number;
    late: number;
  };
}

/** Which accounts are asked for: those of local days, `toDay` included; `device`: of this one alone. */
export interface LedgerQuery {
  fromDay: string;
  toDay: string;
  device?: string;
  limit: number;
  cursor?: string;
}

/** What a day's accounts come to; `quarantined`: messages and values. */
export interface LedgerTotals {
  stored: number;
  quarantined: number;
  missing: number;
}

/** A local day's account of one device. Field meanings: CONTRACT `GET /ledger`. */
export interface LedgerAccount {
  day: string;
  device: string;
  messages: LedgerDelta["messages"];
  values: LedgerDelta["values"];
  slots: { expected: number; covered: number; missing: number };
  balanced: boolean;
}
