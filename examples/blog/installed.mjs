// Before `npm start`: the sources are TypeScript, which an older Node does not run and fails on with a stack trace.
const { node } = process.versions;
const [major = 0, minor = 0] = node.split('.').map(Number);
if (major < 22 || (major === 22 && minor < 18)) {
  console.error(
    `edgerest: this is Node ${node} and needs 22.18 or later: run \`npm ci\`, which brings one for npm's scripts`,
  );
  process.exit(1);
}
