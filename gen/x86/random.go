package x86

import (
	"strings"

	"github.com/mmcloughlin/avo/operand"

	"github.com/lowbit-go/lowbit/gen/plan"
)

// RandomWords prints the body of a kernel that makes random words. A lane of 64 bits has a word of a block's counter in its lower half, and
// anything in the upper one: VPMULUDQ looks at the lower one alone, and has the product's two words in the lane. The blocks' numbers are in such an
// order in the lanes that the words of four registers become those of two in the order of memory.
func (m *Machine) RandomWords() {
	const words, keys, n = plan.GPR(0), plan.GPR(1), plan.GPR(2)
	lanes := m.Width() / 2
	var order []byte
	for i := range lanes {
		order = append(order, byte(i%2*lanes/2+i/2), 0, 0, 0, 0, 0, 0, 0)
	}
	each := func(v uint64) operand.Mem {
		return m.constant(string([]byte{byte(v), byte(v >> 8), byte(v >> 16), byte(v >> 24), byte(v >> 32), byte(v >> 40), byte(v >> 48), byte(v >> 56)}))
	}
	arg := func(name string) operand.Mem {
		p, err := m.ctx.Param(name).Resolve()
		if err != nil {
			panic(err)
		}
		return p.Addr
	}
	groups := 2 // of blocks, one beside the other: each waits for its products
	if m.wide {
		groups = 4
	}
	const number, key, multiplier, first = 0, 1, 2, 4
	m.Arg(words, "words")
	m.Arg(keys, "keys")
	m.Arg(n, "n")
	v := m.vec
	m.i("VPBROADCASTQ", arg("block"), v(number))
	m.i("VPADDQ", m.constant(string(order)), v(number), v(number))
	for i, by := range []uint64{plan.PhiloxMultiplier0, plan.PhiloxMultiplier1} {
		m.i("VPBROADCASTQ", each(by), v(multiplier+i))
	}
	if m.wide {
		m.i("MOVL", operand.U32(0xaaaa), scratch.As32())
		m.i("KMOVW", scratch.As32(), ks[1])
	}
	type group struct{ c, product [4]int } // the words of the counters; the products of the first and the third
	gs := make([]group, groups)
	m.LoopHead("blocks")
	for i := range gs {
		at := first + 6*i
		gs[i] = group{[4]int{at, at + 1, at + 2, at + 3}, [4]int{0: at + 4, 2: at + 5}}
		c := gs[i].c
		m.bitwise("VPOR", v(number), v(number), v(c[0]))
		m.i("VPSRLQ", operand.Imm(32), v(number), v(c[1]))
		m.i("VPBROADCASTQ", arg("stream"), v(c[2]))
		m.i("VPSRLQ", operand.Imm(32), v(c[2]), v(c[3]))
		m.i("VPADDQ", m.constant(strings.Repeat(string([]byte{byte(lanes), 0, 0, 0, 0, 0, 0, 0}), lanes)), v(number), v(number))
	}
	for round := range plan.PhiloxRounds {
		for i := range gs {
			for half := 0; half < 4; half += 2 {
				m.i("VPMULUDQ", v(multiplier+half/2), v(gs[i].c[half]), v(gs[i].product[half]))
			}
		}
		for half := 0; half < 4; half += 2 {
			at := operand.Mem{Base: gprs[keys], Disp: 4 * (2*round + half/2)}
			m.i("VPBROADCASTD", at, v(key))
			for i := range gs {
				g := &gs[i]
				other := g.product[2-half]
				m.i("VPSRLQ", operand.Imm(32), v(other), v(g.c[half]))
				if m.wide {
					m.i("VPTERNLOGD", operand.U8(0x96), v(key), v(g.c[half+1]), v(g.c[half]))
				} else {
					m.i("VPXOR", v(g.c[half+1]), v(g.c[half]), v(g.c[half]))
					m.i("VPXOR", v(key), v(g.c[half]), v(g.c[half]))
				}
			}
		}
		for i := range gs {
			g := &gs[i]
			g.c[1], g.c[3], g.product[0], g.product[2] = g.product[2], g.product[0], g.c[3], g.c[1]
		}
	}
	for i, g := range gs {
		c := g.c
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
	m.Branch(n, plan.NotEqual, 0, "blocks")
}
