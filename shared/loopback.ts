/** Hosts that never leave the machine: there plain http can be read by nobody on the way. */
const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|::1|\[::1\])$/;

/** Whether a host, as in a URL or as an address, is this machine's own. */
export const isLoopback = (host: string): boolean => LOOPBACK.test(host);
