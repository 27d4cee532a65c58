/** Resolves the imports of the sources for the lint of their boundaries: `#lib` by the table of package.json, the rest as files. */
const { existsSync, statSync } = require('node:fs');
const { dirname, resolve } = require('node:path');

const LIB = resolve(__dirname, '../src/lib');

exports.interfaceVersion = 2;
exports.resolve = (source, file) => {
  const path = source.startsWith('#lib/')
    ? resolve(LIB, source.slice(5))
    : source.startsWith('.')
      ? resolve(dirname(file), source)
      : undefined;
  return path !== undefined && existsSync(path) && statSync(path).isFile()
    ? { found: true, path }
    : { found: false };
};
