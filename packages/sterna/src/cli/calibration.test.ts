import assert from 'node:assert/strict'
import { existsSync, readFileSync, statSync } from 'node:fs'
import path from 'node:path'
import { before, test } from 'node:test'
import { createFolder, sterna, sternaJson, TINY_DATA } from './testing/command.node.ts'

const folder = createFolder()
const calibrated = `pack twn -o int.sterna --calibrate ${TINY_DATA}`
const json = (line: string) => sternaJson(folder, line)

before(async () => {
  await json(`train --model lenet5 --data ${TINY_DATA} --method twn --epochs 1 --out twn`)
  await json('pack twn -o plain.sterna')
})

test('pack --calibrate writes ranges and measures both arithmetics on the run’s validation images', async () => {
  const { calibration, bytes } = await json(`${calibrated} --calibration-images 100`)
  const { images, choice, levels, values, checked } = calibration
  assert.deepEqual({ images, choice }, { images: 100, choice: 'mse' })
  assert.ok(levels === 127 || levels === 255, `${levels}`)
  assert.ok(values >= 3)
  assert.equal(checked.heldOut, true)
  assert.ok(checked.samples > 0 && Math.abs(checked.lostPoints) <= 10, JSON.stringify(checked))
  const inspected = await json('inspect int.sterna')
  const part = inspected.otherParts.find(({ name }: { name: string }) => name === 'activation ranges')
  assert.ok(part.bytes >= 1 + 7 * values && part.bytes <= 1 + 11 * values, `${part.bytes}`)
  assert.equal(bytes, statSync(path.join(folder, 'int.sterna')).size)
})

test('eval computes in integers where a file has ranges, in f32 where asked, and says which', async () => {
  await json(calibrated)
  const evaluate = (file: string, more = '') => json(`eval ${file} --data ${TINY_DATA}${more}`)
  const [auto, int, f32, plain] = [
    await evaluate('int.sterna'),
    await evaluate('int.sterna', ' --arithmetic int'),
    await evaluate('int.sterna', ' --arithmetic f32'),
    await evaluate('plain.sterna'),
  ]
  assert.deepEqual(
    [auto, int, f32, plain].map(({ arithmetic, engine }) => [arithmetic, /, (\w+)\)$/.exec(engine)![1]]),
    [
      ['int', 'int'],
      ['int', 'int'],
      ['f32', 'f32'],
      ['f32', 'f32'],
    ],
  )
  assert.deepEqual([auto.accuracy, auto.loss], [int.accuracy, int.loss])
  assert.deepEqual([f32.accuracy, f32.loss], [plain.accuracy, plain.loss])
  assert.notEqual(int.loss, f32.loss)
})

test('a size is kept with the ranges in it', async () => {
  const { bytes } = await json('pack twn -o size.sterna --sort-channels')
  const file = await json(`${calibrated} --target-bytes ${bytes + 60}`)
  assert.ok(file.bytes <= bytes + 60 && file.calibration.values >= 3)
})

test('what does not go together is refused before anything is written', async () => {
  const cases: readonly (readonly [string, RegExp])[] = [
    ['pack twn -o none.sterna --calibration max', /--calibration: belongs to --calibrate/],
    ['pack twn -o none.sterna --activation-levels 63', /--activation-levels: belongs to --calibrate/],
    [
      `pack twn -o none.sterna --calibrate ${TINY_DATA} --activation-levels 256`,
      /from 1 to 255, found "256"/,
    ],
    [`pack twn -o none.sterna --calibrate ${TINY_DATA} --calibration kl`, /expected mse, percentile, max/],
    [`eval plain.sterna --data ${TINY_DATA} --arithmetic int`, /needs ranges of activations[\s\S]*calibrat/],
    [`eval twn --data ${TINY_DATA} --arithmetic int`, /ONNX Runtime computes in f32/],
  ]
  for (const [line, message] of cases) {
    const { status, stderr } = await sterna(folder, line)
    assert.notEqual(status, 0, line)
    assert.match(stderr, message)
  }
  assert.throws(() => statSync(path.join(folder, 'none.sterna')))
})

test('a fine-tune keeps the assignment, is packed with its ranges, and its file computes in integers', async () => {
  const tune = `train --method fixed --activation-levels 15 --calibration-images 60 --epochs 1 --from twn --out tuned`
  await json(tune)
  const { config } = JSON.parse(readFileSync(path.join(folder, 'tuned/config.json'), 'utf8'))
  const ranges: { max: number }[] = Object.values(config.activations)
  assert.ok(ranges.length >= 3 && ranges.every(({ max }) => max === 15))

  const { calibration } = await json(`pack tuned -o tuned.sterna --calibrate ${TINY_DATA}`)
  const { images, choice, levels, values } = calibration
  assert.deepEqual(
    { images, choice, levels, values },
    { images: 0, choice: 'trained', levels: 15, values: ranges.length },
  )
  const without = await json('pack tuned -o same.sterna')
  assert.equal(without.calibration, undefined)
  assert.deepEqual(
    readFileSync(path.join(folder, 'same.sterna')),
    readFileSync(path.join(folder, 'tuned.sterna')),
  )
  assert.equal((await json(`eval tuned.sterna --data ${TINY_DATA}`)).arithmetic, 'int')

  const diff = await json('diff plain.sterna tuned.sterna')
  const flipped = diff.tensors.flatMap(({ flipped }: { flipped?: object }) => flipped ?? [])
  assert.ok(flipped.length >= 3)
  for (const flips of flipped) assert.deepEqual(flips, { toZero: 0, fromZero: 0, signs: 0 })
})

test('a fine-tune is refused where there is nothing to tune, and so are options that would do nothing', async () => {
  await json(`train --model lenet5 --data ${TINY_DATA} --method float --epochs 1 --out float`)
  const start = `train --model lenet5 --data ${TINY_DATA} --out none`
  const cases: readonly (readonly [string, RegExp])[] = [
    ['train --method fixed --from float --out none', /no layer of float is ternary/],
    [`${start} --method fixed`, /--method fixed: needs --from/],
    [`${start} --method twn --activation-levels 127`, /--activation-levels: needs --from/],
    [
      'train --method twn --calibration max --from twn --out none',
      /--calibration: belongs to --activation-levels/,
    ],
    [
      'train --method twn --activation-levels 127 --from float --out none',
      /no layer of this network can work on bytes/,
    ],
    [
      `pack tuned -o none.sterna --calibrate ${TINY_DATA} --activation-levels 63`,
      /trained with ranges of its own/,
    ],
  ]
  for (const [line, message] of cases) {
    const { status, stderr } = await sterna(folder, line)
    assert.notEqual(status, 0, line)
    assert.match(stderr, message)
  }
  assert.ok(!existsSync(path.join(folder, 'none')))
})
