/** A reporter for the long form of the fault tests: what they did, as a table in Markdown. */
import type { Reporter, TestCase, TestModule } from 'vitest/node';
import { SEED } from './amount.ts';

const grouped = (count: number): string => count.toLocaleString('en');

function row(test: TestCase): string {
  const seconds = Math.round((test.diagnostic()?.duration ?? 0) / 1000);
  const { state } = test.result();
  return `| ${test.fullName} (\`${test.module.relativeModuleId}\`) | ${grouped(test.meta().requests ?? 0)} | ${seconds} | ${state} |`;
}

export default class Table implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const all = modules.flatMap(({ children }) => [...children.allTests()]);
    const counted = all.filter((test) => (test.meta().requests ?? 0) > 0);
    const total = counted.reduce((sum, test) => sum + (test.meta().requests ?? 0), 0);
    const failed = all.filter((test) => test.result().state === 'failed').length;
    const lines = [
      '| test | requests | seconds | |',
      '|---|---|---|---|',
      ...counted.map(row),
      '',
      `${grouped(total)} requests in ${counted.length} tests, EDGEREST_FAULTS_SEED=${SEED}; of all ${all.length} tests ${failed} failed.`,
    ];
    process.stdout.write(`\n${lines.join('\n')}\n`);
  }
}
