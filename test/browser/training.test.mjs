/** A network trains in a browser as it trains in Node. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { after, before, describe, test } from 'node:test'
import * as sterna from '../../packages/sterna/dist/index.node.js'
import { root } from '../repository.mjs'
import { launchBrowser, noChromium } from './browser.mjs'
import { serve } from './server.mjs'
import { trainGlyphs } from './train-glyphs.mjs'

const imports = {
  sterna: '/sterna/web.js',
  'sterna-runtime': '/runtime/index.js',
  'sterna-runtime/compile': '/runtime/compile.js',
  'sterna-runtime/format': '/runtime/format.js',
  fflate: '/modules/fflate/esm/browser.js',
  'onnxruntime-web/wasm': '/modules/onnxruntime-web/dist/ort.wasm.bundle.min.mjs',
  'onnxruntime-web/webgpu': '/modules/onnxruntime-web/dist/ort.webgpu.bundle.min.mjs',
}
const page = `<!doctype html><title>training</title>
<script type="importmap">${JSON.stringify({ imports })}</script>
<script type="module">
  import * as sterna from 'sterna'
  import { trainGlyphs } from './train-glyphs.mjs'
  window.trainHere = async (options, work) => {
    const engine = await sterna.createWebEngine(options)
    const found = await trainGlyphs(sterna, engine, work)
    await engine.close()
    return { ...found, device: engine.device, reason: engine.reason }
  }
  window.refusal = options => sterna.createWebEngine(options).then(() => null, ({ code, message, hint }) => ({ code, message, hint }))
</script>`

/** Chromium's own software adapter, for machines without a GPU. */
const softwareGpu = [
  '--enable-unsafe-webgpu',
  '--enable-features=Vulkan',
  '--use-vulkan=swiftshader',
  '--use-webgpu-adapter=swiftshader',
]

/** Twelve steps each; two where a CPU plays the GPU. */
const works = {
  float: { method: 'float', images: 100, batchSize: 25, epochs: 3 },
  twn: { method: 'twn', images: 100, batchSize: 25, epochs: 3 },
  gpu: { method: 'float', images: 8, batchSize: 4, epochs: 1 },
}

function assertNear(found, expected, tolerance) {
  assert.equal(found.losses.length, expected.losses.length)
  expected.losses.forEach((loss, epoch) => {
    const difference = Math.abs(found.losses[epoch] - loss) / loss
    assert.ok(difference < tolerance, `epoch ${epoch + 1}: loss ${found.losses[epoch]}, in Node ${loss}`)
  })
  expected.bias.forEach((value, index) => {
    assert.ok(
      Math.abs(found.bias[index] - value) < tolerance,
      `bias ${index}: ${found.bias[index]}, in Node ${value}`,
    )
  })
}

describe('training in a browser', { skip: noChromium }, () => {
  const expected = {}
  let server
  let browser

  before(async () => {
    // The lowering that browsers have: others round otherwise.
    const engine = await sterna.createEngine({ device: 'cpu', threads: 1, lowering: 'standard' })
    for (const [name, work] of Object.entries(works)) expected[name] = await trainGlyphs(sterna, engine, work)
    await engine.close()
    server = await serve({
      contents: {
        '/': page,
        '/train-glyphs.mjs': readFileSync(path.join(root, 'test/browser/train-glyphs.mjs')),
      },
      folders: {
        '/sterna/': path.join(root, 'packages/sterna/dist'),
        '/runtime/': path.join(root, 'packages/runtime/dist'),
        '/modules/': path.join(root, 'node_modules'),
      },
    })
    browser = await launchBrowser({ flags: softwareGpu })
  })
  after(async () => {
    await browser?.close()
    await server?.close()
  })

  // Rounding may move a weight over its threshold, and then the losses part.
  for (const [method, tolerance] of [
    ['float', 1e-4],
    ['twn', 5e-3],
  ]) {
    test(`${method} LeNet-5 on WebAssembly has Node's losses, weights and levels`, async () => {
      const { page: tab, errors, close } = await browser.open(server.origin)
      const found = await tab.evaluate(work => window.trainHere({ device: 'cpu' }, work), works[method])
      assert.equal(found.device, 'cpu')
      assertNear(found, expected[method], tolerance)
      const flipped = expected[method].levels.filter((level, index) => level !== found.levels[index])
      assert.ok(
        flipped.length <= 0.01 * found.levels.length,
        `${flipped.length} of ${found.levels.length} levels`,
      )
      assert.deepEqual(errors, [])
      await close()
    })
  }

  test("LeNet-5 on WebGPU has Node's losses and weights", async t => {
    const { page: tab, errors, close } = await browser.open(server.origin)
    const adapter = await tab.evaluate(async () => (await navigator.gpu?.requestAdapter()) != null)
    if (!adapter) {
      t.skip('Chromium has no WebGPU adapter, not even its software one')
      return
    }
    const found = await tab.evaluate(
      work => window.trainHere({ device: 'webgpu', strict: true }, work),
      works.gpu,
    )
    assert.equal(found.device, 'webgpu')
    assertNear(found, expected.gpu, 1e-3)
    assert.deepEqual(errors, [])
    await close()
  })

  test('what a page cannot have is refused with the reason', async () => {
    const { page: tab, close } = await browser.open(server.origin)
    const refused = await tab.evaluate(() => window.refusal({ device: 'cpu', threads: 2 }))
    assert.equal(refused.code, 'engine/unavailable')
    assert.match(refused.message, /not cross-origin isolated/)
    await close()
  })
})
