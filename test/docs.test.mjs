import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { readJson, readMarkdown, repositoryFiles, root } from './repository.mjs'

const pages = repositoryFiles().filter(file => file.endsWith('.md'))

/** The anchors that GitHub makes of a page's headings. */
function anchors(file) {
  const seen = new Map()
  return [...readMarkdown(file).prose.matchAll(/^#{1,6} +(.+?) *#*$/gm)].map(([, heading]) => {
    const slug = heading
      .replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1')
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
      .replaceAll(' ', '-')
    const count = seen.get(slug) ?? 0
    seen.set(slug, count + 1)
    return count === 0 ? slug : `${slug}-${count}`
  })
}

test('every relative link and picture in the documents leads to something that exists', () => {
  const broken = pages.flatMap(page => {
    const prose = readMarkdown(page).prose.replaceAll(/`[^`\n]*`/g, '')
    return [...prose.matchAll(/\]\(<?([^)\s>]+)>?(?: "[^"]*")?\)|^\[[^\]]+\]: +(\S+)/gm)]
      .map(([, inline, reference]) => inline ?? reference)
      .filter(link => !/^[a-z]+:/.test(link))
      .filter(link => {
        const [target, anchor] = link.split('#')
        const file =
          target === '' ? page : path.posix.join(path.posix.dirname(page), decodeURIComponent(target))
        if (!existsSync(path.join(root, file))) return true
        return anchor !== undefined && file.endsWith('.md') && !anchors(file).includes(anchor)
      })
      .map(link => `${page}: ${link}`)
  })
  assert.deepEqual(broken, [])
})

test('every `npm run` in the documents names a script of the workspace', () => {
  const scripts = Object.keys(readJson('package.json').scripts)
  const unknown = pages.flatMap(page => {
    const { prose, blocks } = readMarkdown(page)
    return [prose, ...blocks.map(({ body }) => body)]
      .flatMap(text => [...text.matchAll(/\bnpm run ([a-z][a-z:-]*)/g)])
      .filter(([, name]) => !scripts.includes(name))
      .map(([command]) => `${page}: ${command}`)
  })
  assert.deepEqual(unknown, [])
})
