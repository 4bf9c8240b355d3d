import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { SternaError } from '../core/index.ts'
import { createQuantizer, findMethod, methods, readMethodOption } from './methods.ts'

function optionError(run: () => unknown, ...parts: readonly (string | RegExp)[]): void {
  assert.throws(run, (error: unknown) => {
    assert.ok(error instanceof SternaError)
    assert.equal(error.code, 'quantizer/option')
    const text = `${error.message}\n${error.hint}`
    for (const part of parts) assert.match(text, part instanceof RegExp ? part : new RegExp(part))
    return true
  })
}

describe('the table of methods', () => {
  it('has float, which quantizes nothing, and six methods', () => {
    assert.deepEqual(
      methods.map(method => method.name),
      ['float', 'bpwn', 'twn', 'ec2t', 'ttq', 'tga', 'fixed'],
    )
    assert.equal(createQuantizer('float'), undefined)
  })

  it('gives every option a default inside its own range', () => {
    for (const method of methods) {
      const defaults = Object.fromEntries(method.options.map(option => [option.name, option.default]))
      assert.deepEqual(createQuantizer(method.name, defaults)?.options ?? {}, defaults)
      assert.deepEqual(createQuantizer(method.name)?.options ?? {}, defaults)
    }
  })

  it('gives every state tensor a role', () => {
    for (const { name } of methods) {
      const quantizer = createQuantizer(name)
      const shape = [2, 3]
      const layer = { name: 'w', shape, size: 6, largestSize: 6 }
      const state = quantizer?.init({ dtype: 'f32', shape, data: new Float32Array(6).fill(1) }, layer) ?? {}
      assert.deepEqual(Object.keys(state), Object.keys(quantizer?.roles ?? {}))
    }
  })

  it('names the nearest method and option', () => {
    optionError(() => createQuantizer('tvn'), 'no method is named "tvn"', 'did you mean twn')
    optionError(
      () => createQuantizer('ec2t', { entropyweight: 0.1 }),
      'no option "entropyweight"',
      'entropyWeight',
    )
    optionError(() => createQuantizer('float', { scale: 'none' }), 'takes no options')
  })

  it('refuses values outside the range or of another type', () => {
    optionError(() => createQuantizer('ec2t', { entropyWeight: 1.5 }), /expected \[0, 1\], found 1.5/)
    optionError(() => createQuantizer('ec2t', { initialScale: 0 }), /expected \(0, 1\], found 0/)
    optionError(() => createQuantizer('ec2t', { sizeSmoothing: 1 }), /expected \[0, 1\), found 1/)
    optionError(() => createQuantizer('ec2t', { entropyWeight: Number.NaN }), /found NaN/)
    optionError(() => createQuantizer('ec2t', { publishedSign: 'true' }), /expected true \| false/)
    optionError(() => createQuantizer('twn', { granularity: 'channel' }), /layer \| filter, found "channel"/)
    optionError(() => createQuantizer('twn', { thresholdFactor: 0n }), /thresholdFactor/)
  })

  it('reads options from text in their type', () => {
    assert.deepEqual(readMethodOption('ec2t', 'entropyWeight=0.25'), { entropyWeight: 0.25 })
    assert.deepEqual(readMethodOption('ec2t', 'publishedSign=true'), { publishedSign: true })
    assert.deepEqual(readMethodOption('twn', 'threshold=exact'), { threshold: 'exact' })
    optionError(() => readMethodOption('twn', 'threshold'), 'expected option=value')
    optionError(() => readMethodOption('ec2t', 'entropyWeight='), /entropyWeight/)
    optionError(() => readMethodOption('ec2t', 'entropyWeight=much'), /entropyWeight/)
    optionError(() => readMethodOption('ec2t', 'publishedSign=yes'), /publishedSign/)
  })

  it('finds a method’s description for help', () => {
    assert.match(findMethod('twn').description, /ternary/)
  })
})
