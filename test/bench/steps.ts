export const measureSteps = async (...x: unknown[]): Promise<string> => String(x.length);
