/** What keeps a program from starting, in words for whoever started it: one line, or one for each reason. */
export class StartError extends Error {
  override readonly name: string = 'StartError';
}
