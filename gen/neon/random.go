package neon

import (
	"github.com/lowbit-go/lowbit/gen/neon/asm"
	"github.com/lowbit-go/lowbit/gen/plan"
)

// RandomWords prints the body of a kernel that makes random words, of four blocks side by side.
func (m *Machine) RandomWords() {
	const words, keys, n = plan.GPR(0), plan.GPR(1), plan.GPR(2)
	const multipliers, counters, step, key, product = asm.V(0), asm.V(2), asm.V(6), asm.V(7), asm.V(8)
	const c, listed = asm.V(12), asm.V(16)
	m.Arg(words, "words")
	m.Arg(keys, "keys")
	m.Arg(n, "n")
	each := func(d asm.V, v uint32) {
		m.XMOVI(r0, int(v))
		m.DUPX(asm.S, d, r0)
	}
	each(multipliers, plan.PhiloxMultiplier0)
	each(multipliers+1, plan.PhiloxMultiplier1)
	each(step, 4)
	for i, name := range []string{"block", "stream"} {
		low, high := counters+asm.V(2*i), counters+asm.V(2*i+1)
		m.LDRARG(asm.D, low, name, m.offsets[name])
		m.DUP(asm.S, high, low, 1)
		m.DUP(asm.S, low, low, 0)
	}
	m.table(product, string([]byte{0, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0}))
	m.ADD(asm.S, counters, counters, product)
	for i := range asm.V(2 * plan.PhiloxRounds / 4) {
		m.LDR(asm.Q, listed+i, m.mem(plan.Addr{Reg: keys, Disp: 16 * int(i)}))
	}
	m.LoopHead("blocks")
	for i := range asm.V(4) {
		m.MOV(c+i, counters+i)
	}
	m.ADD(asm.S, counters, counters, step)
	for round := range plan.PhiloxRounds {
		for i := range asm.V(2) {
			m.UMULL(asm.D, product+2*i, c+2*i, multipliers+i)
			m.UMULL2(asm.D, product+2*i+1, c+2*i, multipliers+i)
		}
		for i := range asm.V(2) { // the other product's upper halves
			m.UZP2(asm.S, c+2*i, product+2-2*i, product+3-2*i)
			m.EOR(c+2*i, c+2*i, c+2*i+1)
			m.DUP(asm.S, key, listed+asm.V((2*round+int(i))/4), (2*round+int(i))%4)
			m.EOR(c+2*i, c+2*i, key)
		}
		for i := range asm.V(2) {
			m.UZP1(asm.S, c+2*i+1, product+2-2*i, product+3-2*i)
		}
	}
	for i := range asm.V(2) { // pairs of words, and then blocks
		m.ZIP1(asm.S, product+i, c+2*i, c+2*i+1)
		m.ZIP2(asm.S, product+2+i, c+2*i, c+2*i+1)
	}
	for i := range asm.V(2) {
		m.ZIP1(asm.D, c+2*i, product+2*i, product+2*i+1)
		m.ZIP2(asm.D, c+2*i+1, product+2*i, product+2*i+1)
	}
	m.ST1P(asm.R(words), c, 4)
	m.AddImm(n, -4)
	m.Branch(n, plan.NotEqual, 0, "blocks")
}
