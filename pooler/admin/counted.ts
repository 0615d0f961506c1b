import { Counter, type Registry } from 'prom-client';

/** A counter whose value is kept elsewhere and looked up when somebody asks. */
export function counted(registers: Registry[], name: string, help: string, value: () => number): void {
  new Counter({
    name,
    help,
    registers,
    collect() {
      this.reset();
      this.inc(value());
    },
  });
}
