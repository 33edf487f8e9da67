package x86

import (
	"github.com/mmcloughlin/avo/operand"

	"github.com/lowbit-go/lowbit/gen/plan"
)

// RandomWords prints the body of a kernel that makes random words. A lane of 64 bits has a word of a block's counter in its lower half, and
// anything in the upper one: VPMULUDQ looks at the lower one alone, and has the product's two words in the lane. The blocks' numbers are in such an
// order in the lanes that the words of four registers become those of two in the order of memory. Groups of blocks are one beside the other, as
// each waits for its products: so many as there are registers for. Two rounds are done in part: see philox.Stream.Keys.
func (m *Machine) RandomWords() {
	const words, keys, n = plan.GPR(0), plan.GPR(1), plan.GPR(2)
	lanes := m.Width() / 2
	numbers := func(number func(lane int) int) operand.Mem {
		var b []byte
		for i := range lanes {
			b = append(b, byte(number(i)), 0, 0, 0, 0, 0, 0, 0)
		}
		return m.constant(string(b))
	}
	order := func(lane int) int { return lane%2*lanes/2 + lane/2 }
	each := func(v uint64) operand.Mem {
		return m.constant(string([]byte{byte(v), byte(v >> 8), byte(v >> 16), byte(v >> 24), byte(v >> 32), byte(v >> 40), byte(v >> 48), byte(v >> 56)}))
	}
	block, err := m.ctx.Param("block").Resolve()
	if err != nil {
		panic(err)
	}
	groups := 3
	if m.wide {
		groups = 4
	}
	const shifted, key, multiplier, number, first = 0, 1, 2, 4, 4 // the number has a register if there are many, else it is in the argument
	m.Arg(words, "words")
	m.Arg(keys, "keys")
	m.Arg(n, "n")
	v := m.vec
	if m.wide {
		m.i("VPBROADCASTQ", block.Addr, v(number))
		m.i("VPADDQ", numbers(order), v(number), v(number))
	}
	for i, by := range []uint64{plan.PhiloxMultiplier0, plan.PhiloxMultiplier1} {
		m.i("VPBROADCASTQ", each(by), v(multiplier+i))
	}
	if m.wide {
		m.i("MOVL", operand.U32(0xaaaa), scratch.As32())
		m.i("KMOVW", scratch.As32(), ks[1])
	}
	gs := make([][4]int, groups) // the words of the counters
	product := func(c, by int) { m.i("VPMULUDQ", v(multiplier+by), v(c), v(c)) }
	broadcast := func(of int) { m.i("VPBROADCASTD", operand.Mem{Base: gprs[keys], Disp: 4 * of}, v(key)) }
	upper := func(of, d int) { m.i("VPSRLQ", operand.Imm(32), v(of), v(d)) }
	xor := func(a, d int) { m.bitwise("VPXOR", v(a), v(d), v(d)) }
	all := func(f func(c *[4]int)) {
		for i := range gs {
			f(&gs[i])
		}
	}
	m.i("LEAQ", operand.Mem{Base: gprs[keys], Disp: 4 * 2 * (plan.PhiloxRounds - 2)}, scratch)
	m.LoopHead("blocks")
	for i := range gs {
		c := &gs[i]
		for j := range c {
			c[j] = first + 4*i + j
			if m.wide {
				c[j]++
			}
		}
		if m.wide {
			m.i("VPMULUDQ", v(multiplier), v(number), v(c[0]))
			m.i("VPADDQ", numbers(func(int) int { return lanes }), v(number), v(number))
		} else {
			m.i("VPBROADCASTQ", block.Addr, v(c[0]))
			m.i("VPADDQ", numbers(func(lane int) int { return lanes*i + order(lane) }), v(c[0]), v(c[0]))
			product(c[0], 0)
		}
	}
	broadcast(1)
	all(func(c *[4]int) { upper(c[0], c[1]); xor(key, c[1]); product(c[1], 1) })
	broadcast(3)
	all(func(c *[4]int) { xor(key, c[0]) })
	broadcast(2)
	all(func(c *[4]int) { upper(c[1], c[2]); xor(key, c[2]); *c = [4]int{c[2], c[1], c[0], c[3]} })
	all(func(c *[4]int) { m.bitwise("VPXOR", v(c[3]), v(c[3]), v(c[3])) })
	const alike = 4 // rounds: after them each word is in its register again
	m.LoopHead("rounds")
	for i := range alike {
		all(func(c *[4]int) { product(c[0], 0); product(c[2], 1) })
		for half := 0; half < 4; half += 2 {
			broadcast(2*(2+i) + half/2)
			all(func(c *[4]int) {
				other, d := c[2-half], c[half+1]
				if m.wide {
					upper(other, shifted)
					m.i("VPTERNLOGD", operand.U8(0x96), v(key), v(shifted), v(d))
					return
				}
				xor(key, d) // the product comes last: it is what is waited for
				upper(other, shifted)
				xor(shifted, d)
			})
		}
		all(func(c *[4]int) { *c = [4]int{c[1], c[2], c[3], c[0]} })
	}
	m.AddImm(keys, 4*2*alike)
	m.i("CMPQ", gprs[keys], scratch)
	m.i("JNE", operand.LabelRef("rounds"))
	m.AddImm(keys, -4*2*(plan.PhiloxRounds-2))
	for i, c := range gs {
		for half := 0; half < 4; half += 2 { // two words to a lane
			if m.wide {
				m.i("VMOVSLDUP", v(c[half+1]), ks[1], v(c[half]))
			} else {
				m.i("VMOVSLDUP", v(c[half+1]), v(c[half+1]))
				m.i("VPBLENDD", operand.U8(0xaa), v(c[half+1]), v(c[half]), v(c[half]))
			}
		}
		m.i("VPUNPCKLQDQ", v(c[2]), v(c[0]), v(c[1]))
		m.i("VPUNPCKHQDQ", v(c[2]), v(c[0]), v(c[3]))
		m.i("VMOVUPS", v(c[1]), operand.Mem{Base: gprs[words], Disp: 8 * m.Width() * i})
		m.i("VMOVUPS", v(c[3]), operand.Mem{Base: gprs[words], Disp: 8*m.Width()*i + 4*m.Width()})
	}
	m.AddImm(words, 8*m.Width()*groups)
	m.AddImm(n, -lanes*groups)
	if m.wide {
		m.Branch(n, plan.NotEqual, 0, "blocks")
	} else {
		m.i("ADDQ", operand.Imm(uint64(lanes*groups)), block.Addr)
		m.Branch(n, plan.GreaterEqual, 1, "blocks")
	}
}
