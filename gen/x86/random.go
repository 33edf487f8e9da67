package x86

import (
	"encoding/binary"

	"github.com/mmcloughlin/avo/operand"

	"github.com/lowbit-go/lowbit/gen/plan"
)

// The arguments of the kernel that makes random words.
const randomWords, randomKeys, randomCount = plan.GPR(0), plan.GPR(1), plan.GPR(2)

// Its registers: the number has one where there are many, else it is in the argument, and the counters begin there.
const randomShifted, randomKey, randomMultiplier, randomNumber = 0, 1, 2, 4

// random prints that kernel. A lane of 64 bits has a word of a block's counter in its lower half, and anything in the upper one: VPMULUDQ looks at the
// lower one alone, and has the product's two words in the lane. The blocks' numbers are in such an order in the lanes that the words of four registers
// become those of two in the order of memory. Groups of blocks are one beside the other, as each waits for its products: so many as there are registers
// for. Two rounds are done in part: see philox.Stream.Keys.
type random struct {
	*Machine
	block  operand.Op // the argument with the number
	lanes  int
	groups [][4]int // the registers with the words of the counters
}

// RandomWords prints the body of a kernel that makes random words.
func (m *Machine) RandomWords() {
	block, err := m.ctx.Param("block").Resolve()
	if err != nil {
		panic(err)
	}
	r := &random{Machine: m, block: block.Addr, lanes: m.Width() / 2, groups: make([][4]int, 3)}
	if m.wide {
		r.groups = make([][4]int, 4)
	}
	m.Arg(randomWords, "words")
	m.Arg(randomKeys, "keys")
	m.Arg(randomCount, "n")
	if m.wide {
		m.i("VPBROADCASTQ", r.block, m.vec(randomNumber))
		m.i("VPADDQ", r.numbers(r.order), m.vec(randomNumber), m.vec(randomNumber))
	}
	for i, by := range []uint64{plan.PhiloxMultiplier0, plan.PhiloxMultiplier1} {
		m.i("VPBROADCASTQ", m.constant(string(binary.LittleEndian.AppendUint64(nil, by))), m.vec(randomMultiplier+i))
	}
	if m.wide {
		m.i("MOVL", operand.U32(0xaaaa), scratch.As32())
		m.i("KMOVW", scratch.As32(), ks[1])
	}
	m.i("LEAQ", operand.Mem{Base: gprs[randomKeys], Disp: 4 * 2 * (plan.PhiloxRounds - 2)}, scratch)
	m.LoopHead("blocks")
	r.begin()
	r.rounds()
	r.put()
	step := r.lanes * len(r.groups)
	m.AddImm(randomCount, -step)
	if m.wide {
		m.Branch(randomCount, plan.NotEqual, 0, "blocks")
	} else {
		m.i("ADDQ", operand.Imm(uint64(step)), r.block)
		m.Branch(randomCount, plan.GreaterEqual, 1, "blocks")
	}
}

// numbers is a constant with a number for each lane.
func (r *random) numbers(number func(lane int) int) operand.Mem {
	var b []byte
	for i := range r.lanes {
		b = binary.LittleEndian.AppendUint64(b, uint64(number(i)))
	}
	return r.constant(string(b))
}

// order is which block of a group a lane has.
func (r *random) order(lane int) int { return lane%2*r.lanes/2 + lane/2 }

func (r *random) product(c, by int) { r.i("VPMULUDQ", r.vec(randomMultiplier+by), r.vec(c), r.vec(c)) }
func (r *random) upper(of, d int)   { r.i("VPSRLQ", operand.Imm(32), r.vec(of), r.vec(d)) }
func (r *random) xor(a, d int)      { r.bitwise("VPXOR", r.vec(a), r.vec(d), r.vec(d)) }

// next loads a word of the keys for all lanes.
func (r *random) next(of int) {
	r.i("VPBROADCASTD", operand.Mem{Base: gprs[randomKeys], Disp: 4 * of}, r.vec(randomKey))
}

// each does the same for all groups.
func (r *random) each(f func(c *[4]int)) {
	for i := range r.groups {
		f(&r.groups[i])
	}
}

// begin sets the counters, and does the two rounds that are done in part.
func (r *random) begin() {
	for i := range r.groups {
		c := &r.groups[i]
		for j := range c {
			c[j] = randomNumber + 4*i + j
			if r.wide {
				c[j]++
			}
		}
		if r.wide {
			r.i("VPMULUDQ", r.vec(randomMultiplier), r.vec(randomNumber), r.vec(c[0]))
			r.i("VPADDQ", r.numbers(func(int) int { return r.lanes }), r.vec(randomNumber), r.vec(randomNumber))
		} else {
			r.i("VPBROADCASTQ", r.block, r.vec(c[0]))
			r.i("VPADDQ", r.numbers(func(lane int) int { return r.lanes*i + r.order(lane) }), r.vec(c[0]), r.vec(c[0]))
			r.product(c[0], 0)
		}
	}
	r.next(1)
	r.each(func(c *[4]int) { r.upper(c[0], c[1]); r.xor(randomKey, c[1]); r.product(c[1], 1) })
	r.next(3)
	r.each(func(c *[4]int) { r.xor(randomKey, c[0]) })
	r.next(2)
	r.each(func(c *[4]int) {
		r.upper(c[1], c[2])
		r.xor(randomKey, c[2])
		*c = [4]int{c[2], c[1], c[0], c[3]}
	})
	r.each(func(c *[4]int) { r.xor(c[3], c[3]) })
}

// rounds does the others in a loop over four: after them each word is in its register again.
func (r *random) rounds() {
	const alike = 4
	r.LoopHead("rounds")
	for i := range alike {
		r.each(func(c *[4]int) { r.product(c[0], 0); r.product(c[2], 1) })
		for half := 0; half < 4; half += 2 {
			r.next(2*(2+i) + half/2)
			r.each(func(c *[4]int) {
				other, d := c[2-half], c[half+1]
				if r.wide {
					r.upper(other, randomShifted)
					r.i("VPTERNLOGD", operand.U8(0x96), r.vec(randomKey), r.vec(randomShifted), r.vec(d))
					return
				}
				r.xor(randomKey, d) // the product comes last: it is what is waited for
				r.upper(other, randomShifted)
				r.xor(randomShifted, d)
			})
		}
		r.each(func(c *[4]int) { *c = [4]int{c[1], c[2], c[3], c[0]} })
	}
	r.AddImm(randomKeys, 4*2*alike)
	r.i("CMPQ", gprs[randomKeys], scratch)
	r.i("JNE", operand.LabelRef("rounds"))
	r.AddImm(randomKeys, -4*2*(plan.PhiloxRounds-2))
}

// put joins two words to a lane, and stores the groups' words.
func (r *random) put() {
	for i, c := range r.groups {
		for half := 0; half < 4; half += 2 {
			if r.wide {
				r.i("VMOVSLDUP", r.vec(c[half+1]), ks[1], r.vec(c[half]))
			} else {
				r.i("VMOVSLDUP", r.vec(c[half+1]), r.vec(c[half+1]))
				r.i("VPBLENDD", operand.U8(0xaa), r.vec(c[half+1]), r.vec(c[half]), r.vec(c[half]))
			}
		}
		r.i("VPUNPCKLQDQ", r.vec(c[2]), r.vec(c[0]), r.vec(c[1]))
		r.i("VPUNPCKHQDQ", r.vec(c[2]), r.vec(c[0]), r.vec(c[3]))
		r.i("VMOVUPS", r.vec(c[1]), operand.Mem{Base: gprs[randomWords], Disp: 8 * r.Width() * i})
		r.i("VMOVUPS", r.vec(c[3]), operand.Mem{Base: gprs[randomWords], Disp: 8*r.Width()*i + 4*r.Width()})
	}
	r.AddImm(randomWords, 8*r.Width()*len(r.groups))
}
