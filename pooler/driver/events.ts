/** What happens at the driver's door, for the log and the metrics. */
export type DriverEvent =
  /** A request over HTTP was answered. */
  | { readonly type: 'answered'; readonly status: number }
  /** The server did not let somebody in. */
  | { readonly type: 'login refused'; readonly user: string; readonly database: string; readonly reason: string };
