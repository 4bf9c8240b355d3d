/** What the cross-cutting tests know of the repository: its files, its modules and what they import. */
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { filesUnder, root } from '../scripts/ensure.mjs'

export { root }

/** Text of a file, by its path from the root. */
export function read(file) {
  return readFileSync(path.join(root, file), 'utf8')
}

export function readJson(file) {
  return JSON.parse(read(file))
}

/** Paths from the root of everything that is or may be committed; outside a git clone, everything but build output. */
export function repositoryFiles() {
  const listed = spawnSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
    cwd: root,
    encoding: 'utf8',
  })
  if (listed.status === 0) {
    return [...new Set(listed.stdout.split('\0'))].filter(
      file => file !== '' && existsSync(path.join(root, file)),
    )
  }
  return filesUnder(root)
    .map(file => path.relative(root, file).replaceAll(path.sep, '/'))
    .filter(file => !/(^|\/)(dist|\.git|data|runs)\//.test(file) || file.includes('/src/'))
}

/** A package's TypeScript sources with what each imports: relative targets resolved to paths from the root. */
export function modules(packageFolder) {
  const source = path.join(root, packageFolder, 'src')
  return filesUnder(source)
    .filter(file => file.endsWith('.ts'))
    .map(absolute => {
      const file = path.relative(root, absolute).replaceAll(path.sep, '/')
      const code = withoutComments(readFileSync(absolute, 'utf8'))
      const imports = [...code.matchAll(/(?:\bfrom|\bimport)\s*\(?\s*'([^'\n]+)'/g)].map(([, specifier]) =>
        specifier.startsWith('.') ? path.posix.join(path.posix.dirname(file), specifier) : specifier,
      )
      return {
        file,
        /** First folder below src, or '' for files in src itself. */
        folder: file.slice(packageFolder.length + 5).includes('/')
          ? file.slice(packageFolder.length + 5).split('/')[0]
          : '',
        isTest: /\.test\.ts$/.test(file),
        isNode: /\.node(\.test)?\.ts$/.test(file),
        code,
        imports,
      }
    })
}

/** Blanks out comments (not perfectly: a comment sign within a string counts too), keeping line numbers. */
function withoutComments(code) {
  return code
    .replaceAll(/\/\*[\s\S]*?\*\//g, comment => comment.replaceAll(/[^\n]/g, ''))
    .replaceAll(/(^|[\s;,{}()])\/\/[^\n]*/g, '$1')
}

/** The text of a Markdown file without fenced blocks, and those blocks with their language. */
export function readMarkdown(file) {
  const blocks = []
  const prose = read(file).replaceAll(
    /^( *)(```+|~~~+)([^\n]*)\n([\s\S]*?)^\1\2 *$/gm,
    (whole, _indent, _fence, language, body) => {
      blocks.push({ language: language.trim(), body })
      return whole.replaceAll(/[^\n]/g, '')
    },
  )
  return { prose, blocks }
}
