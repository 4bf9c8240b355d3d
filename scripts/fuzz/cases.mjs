/** The endless, seeded sequence of hostile files. */
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { lenet5, resnet20 } from '../../packages/runtime/dist/kernels/testing/models.js'
import { Random } from '../../packages/sterna/dist/core/index.js'
import { writeSterna } from '../../packages/sterna/dist/pack/index.js'
import { filesUnder, root } from '../ensure.mjs'
import { mutateFile } from './mutate.mjs'
import { randomNetwork } from './networks.mjs'

const profiles = ['small', 'fast', 'max']

/**
 * Every tenth case is a valid random network as it is; the others are mutations of one, of a file of the format's
 * test vectors, or of LeNet-5 and ResNet-20.
 */
export function* hostileFiles(seed) {
  const random = new Random(seed)
  const fixtures = filesUnder(path.join(root, 'test/fixtures/format'))
    .filter(file => file.endsWith('.sterna'))
    .map(file => new Uint8Array(readFileSync(file)))
  const large = [writeSterna(lenet5(0.95)), writeSterna(resnet20(0.8))]
  const base = () => {
    const draw = random.below(20)
    if (draw === 0) return large[random.below(large.length)]
    if (draw < 4) return fixtures[random.below(fixtures.length)]
    return writeSterna(randomNetwork(random), profiles[random.below(profiles.length)])
  }
  let file = base()
  for (let index = 0; ; index++) {
    // A network is made anew now and then only: making one takes longer than judging it.
    const previous = file
    if (index % 5 === 0) file = base()
    yield { index, bytes: index % 10 === 0 ? file : mutateFile(file, previous, random) }
  }
}
