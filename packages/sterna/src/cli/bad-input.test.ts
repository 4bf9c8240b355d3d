import assert from 'node:assert/strict'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { before, test } from 'node:test'
import { f32 } from '../core/index.ts'
import { writeNpy, writePng, writeSafetensors } from '../formats/index.ts'
import { createFolder, sterna, TINY_DATA } from './testing/command.node.ts'

const folder = createFolder()
const inFolder = (name: string) => path.join(folder, name)

before(async () => {
  const made = await sterna(
    folder,
    `train --model lenet5-classic --data ${TINY_DATA} --method float --epochs 1 --out run --quiet`,
  )
  assert.equal(made.status, 0, made.stderr)
  assert.equal((await sterna(folder, 'pack run -o good.sterna --quiet')).status, 0)
  const good = readFileSync(inFolder('good.sterna'))
  writeFileSync(inFolder('cut.sterna'), good.subarray(0, good.length - 9))
  const damaged = Buffer.from(good)
  damaged[damaged.length >> 1]! ^= 0x10
  writeFileSync(inFolder('damaged.sterna'), damaged)
  writeFileSync(inFolder('text.sterna'), 'not a network')
  writeFileSync(inFolder('text.onnx'), 'not a network')
  writeFileSync(inFolder('text.pt'), 'not a checkpoint')
  writeFileSync(inFolder('odd.safetensors'), writeSafetensors(new Map([['x', f32([2], [1, 2])]])))
  writeFileSync(
    inFolder('large.png'),
    writePng({ width: 30, height: 28, channels: 1, data: new Uint8Array(840) }),
  )
  writeFileSync(inFolder('flat.npy'), writeNpy(f32([10])))
  const floats = f32([1, 28, 28])
  writeFileSync(inFolder('floats.npy'), writeNpy(floats))
  floats.data[3] = Number.NaN
  writeFileSync(inFolder('nan.npy'), writeNpy(floats))
  writeFileSync(inFolder('typo.json'), '{ "bachSize": 20 }')
  writeFileSync(inFolder('wrong.json'), '{ "batchSize": "20" }')
  writeFileSync(inFolder('broken.json'), '{')
  const config = JSON.parse(readFileSync(inFolder('run/config.json'), 'utf8'))
  mkdirSync(inFolder('future'))
  writeFileSync(inFolder('future/config.json'), JSON.stringify({ ...config, formatVersion: 99 }))
  mkdirSync(inFolder('half-data'))
  writeFileSync(inFolder('half-data/train-images-idx3-ubyte'), Uint8Array.of(0, 0, 8, 3, 0, 0))
})

const train = `train --model lenet5-classic --data ${TINY_DATA}`

/** [command line, exit code, what the message must say] */
const cases: readonly (readonly [line: string, status: 1 | 2, says: RegExp])[] = [
  // The parser
  ['trian', 2, /unknown command 'trian'\nhint: did you mean train\?/],
  ['data fecth mnist', 2, /did you mean fetch\?/],
  ['train --epoch 3', 2, /unknown option '--epoch'\nhint: did you mean --epochs\?/],
  ['eval run', 2, /required option '--data <spec>' not specified/],
  ['inspect', 2, /missing required argument 'file'/],
  ['inspect a b', 2, /too many arguments/],
  ['bench trian', 2, /did you mean train\?/],
  ['bench infer --layers', 2, /--layers: needs FILE or --network/],
  ['bench infer good.sterna --network lenet5', 2, /--network: FILE says/],
  ['bench infer good.sterna --checkpoint x', 2, /--checkpoint: belongs to/],
  ['bench infer --against ort-nod', 2, /did you mean ort-node\?/],
  // Values of options
  ['train', 2, /train needs --out/],
  [`${train} --method tnw --out x`, 2, /did you mean twn\?/],
  [`${train} --method float --epochs -1 --out x`, 2, /--epochs: expected a whole number .* found "-1"/],
  [`${train} --method float --batch-size 1 --out x`, 2, /--batch-size: expected a whole number from 2/],
  [`${train} --method float --schedule sometimes --out x`, 2, /schedule: expected constant, cosine or step/],
  [`${train} --method float --mean 0.5 --out x`, 2, /expected a unit of 1 or 255/],
  [
    `${train} --method float --learning-rate fast=1 --out x`,
    2,
    /--learning-rate: expected latent, state, rest/,
  ],
  [`${train} --method ec2t --option entropyWieght=1 --out x`, 2, /did you mean entropyWeight/],
  [`${train} --method ec2t --option entropyWeight=9 --out x`, 2, /expected \[0, 1\], found 9/],
  [`train --model lenet --data ${TINY_DATA} --method float --out x`, 2, /did you mean lenet5/],
  [
    `train --model resnet20 --data ${TINY_DATA} --method float --out x`,
    2,
    /takes images of \[3,32,32\], glyphs has \[1,28,28\]/,
  ],
  [
    `${train} --method float --config typo.json --out x`,
    2,
    /no training option "bachSize"\nhint: did you mean batchSize\?/,
  ],
  [`${train} --method float --config wrong.json --out x`, 2, /batchSize: expected a number, found "20"/],
  [`${train} --method float --config broken.json --out x`, 2, /broken\.json: not JSON/],
  [`eval run --data ${TINY_DATA} --engine runtime`, 2, /runs \.sterna files only/],
  [`eval run --data ${TINY_DATA} --model lenet5`, 2, /says itself which network it is/],
  [`eval good.sterna --data ${TINY_DATA} --split validation`, 2, /only a run says which images it held out/],
  [`eval good.sterna --data ${TINY_DATA} --threads 2`, 2, /--threads: sterna-runtime runs on one thread/],
  // Data
  ['eval run --data glyps', 2, /data set "glyps" is unknown\nhint: nearest: glyphs/],
  [
    'eval run --data mnist',
    1,
    /found neither in STERNA_DATA nor in \.\/data\nhint: .*sterna data fetch mnist/,
  ],
  ['eval run --data mnist:half-data', 1, /half-data: expected the 4 files of mnist, missing/],
  // Runs
  [`${train} --method float --out run`, 2, /run already holds a run/],
  ['train --resume nothing', 1, /expected a run directory/],
  ['train --resume future', 1, /run format 99, this build reads \d+/],
  ['train --resume run --epochs 3', 2, /--epochs does not go with --resume/],
  [
    `train --data ${TINY_DATA} --method twn --from good.sterna --out x`,
    2,
    /expected a run directory or a weights file/,
  ],
  [
    `train --model lenet5 --data ${TINY_DATA} --method twn --from run --out x`,
    2,
    /that run trained lenet5-classic/,
  ],
  [
    `${train} --method float --learning-rate 1e12 --epochs 3 --out exploded`,
    1,
    /the loss .*(conv|fc)\d\.weight/,
  ],
  // Files
  ['inspect nothing.sterna', 1, /nothing\.sterna: no such file/],
  ['inspect cut.sterna', 1, /cut\.sterna: expected \d+ bytes, found \d+/],
  ['inspect damaged.sterna', 1, /damaged\.sterna: .*checksum/],
  ['inspect text.sterna', 1, /text\.sterna: .*not a \.sterna file/],
  ['inspect run', 2, /hint: pack it first/],
  ['inspect odd.safetensors', 2, /inspect takes \.sterna files\nhint: pack it first/],
  ['bench infer run', 2, /bench infer takes \.sterna files\nhint: pack it first/],
  [`eval text.onnx --data ${TINY_DATA}`, 1, /text\.onnx: /],
  [`eval text.pt --model lenet5 --data ${TINY_DATA}`, 1, /text\.pt: /],
  [`eval odd.safetensors --data ${TINY_DATA}`, 2, /needs --model/],
  [
    `eval odd.safetensors --model lenet5 --data ${TINY_DATA}`,
    1,
    /conv1\.weight \[32,1,5,5\]: not in the file/,
  ],
  ['pack good.sterna -o x.sterna', 2, /packed already/],
  ['pack run -o missing/x.sterna', 1, /the folder does not exist/],
  ['pack run -o run', 2, /--output run: expected a name that ends in \.sterna/],
  [
    'pack run -o x.sterna --mean 0.1,0.2@1',
    2,
    /expected one value for the mean of 1-channel images, found 2/,
  ],
  ['run good.sterna --input large.png', 2, /takes images of 28×28 pixels, this one has 30×28/],
  ['run good.sterna --input text.pt', 2, /expected a \.png or \.npy file/],
  ['run good.sterna --input flat.npy', 2, /expected \[N, 1, 28, 28\] or \[1, 28, 28\], found \[10\]/],
  ['run good.sterna --input nan.npy', 2, /nan\.npy: element 3 is NaN/],
  ['run good.sterna --input floats.npy --mean 0.5@1', 2, /--mean: floats\.npy holds floats/],
  ['run good.sterna --input floats.npy --output scores.txt', 2, /expected a name that ends in \.npy/],
]

for (const [line, status, says] of cases) {
  test(`refused: sterna ${line.replace(TINY_DATA, 'glyphs')}`, async () => {
    const result = await sterna(folder, line)
    assert.match(result.stderr, says)
    assert.equal(result.status, status, result.stderr)
    assert.match(result.stderr, /^error: /m)
    assert.doesNotMatch(result.stderr, /defect of sterna|\n {4}at /)
    assert.equal(result.stdout, '')
  })
}

test('with --json a failure is an object on stdout, also where the parser fails', async () => {
  for (const line of ['eval nothing --data glyphs --json', 'eval run --dta glyphs --json']) {
    const { status, stdout } = await sterna(folder, line)
    const { error } = JSON.parse(stdout)
    assert.ok(status === 1 || status === 2)
    assert.match(error.code, /^(file\/not-found|usage\/option)$/)
    assert.ok(error.message.length > 10)
  }
})
