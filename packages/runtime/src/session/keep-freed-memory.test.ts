import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { test } from 'node:test'

const header = process.report?.getReport() as { header?: { glibcVersionRuntime?: string } } | undefined
const skip = header?.header?.glibcVersionRuntime === undefined && 'this host has another allocator'

test('large results fault on no pages once there was memory for them', { skip }, () => {
  const program = `
    import { loadModel } from ${JSON.stringify(new URL('../index.node.js', import.meta.url).href)}
    import { ModelSketch } from ${JSON.stringify(new URL('../kernels/testing/models.js', import.meta.url).href)}
    const m = new ModelSketch()
    const session = await loadModel(m.model(m.node('Relu', [m.input('x', [1, 64, 32, 32])], {})))
    const image = new Float32Array(65536)
    const run = runs => { for (let i = 0; i < runs; i++) session.run(image) }
    run(600)
    const faults = () => process.resourceUsage().minorPageFault
    const windows = Array.from({ length: 9 }, () => {
      const before = faults()
      run(300)
      return (faults() - before) / 300
    })
    console.log(windows.sort((a, b) => a - b)[4])
  `
  const args = ['--input-type=module', '--eval', program]
  const { stdout, stderr, status } = spawnSync(process.execPath, args, { encoding: 'utf8', timeout: 30_000 })
  assert.equal(status, 0, stderr)
  // Each has 64 pages. A collection that comes late, beside other programs, lets the heap grow once more.
  assert.ok(Number(stdout) < 8, `${stdout} faults a run`)
})
