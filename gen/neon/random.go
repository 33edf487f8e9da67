package neon

import (
	"github.com/lowbit-go/lowbit/gen/neon/asm"
	"github.com/lowbit-go/lowbit/gen/plan"
)

// RandomWords prints the body of a kernel that makes random words, of four blocks side by side. Two rounds are done in part: see philox.Stream.Keys.
func (m *Machine) RandomWords() {
	const words, keys, n = plan.GPR(0), plan.GPR(1), plan.GPR(2)
	const multipliers, numbers, step, key, product = asm.V(0), asm.V(2), asm.V(6), asm.V(7), asm.V(8)
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
	m.LDRARG(asm.D, numbers, "block", m.offsets["block"])
	m.DUP(asm.S, numbers, numbers, 0)
	m.table(product, string([]byte{0, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0}))
	m.ADD(asm.S, numbers, numbers, product)
	for i := range asm.V(2 * plan.PhiloxRounds / 4) {
		m.LDR(asm.Q, listed+i, m.mem(plan.Addr{Reg: keys, Disp: 16 * int(i)}))
	}
	m.LoopHead("blocks")
	products := func(i, c asm.V) {
		m.UMULL(asm.D, product+2*i, c, multipliers+i)
		m.UMULL2(asm.D, product+2*i+1, c, multipliers+i)
	}
	lower := func(d, i asm.V) { m.UZP1(asm.S, d, product+2*i, product+2*i+1) }
	upper := func(d, i asm.V) { m.UZP2(asm.S, d, product+2*i, product+2*i+1) }
	withKey := func(d asm.V, of int) {
		m.DUP(asm.S, key, listed+asm.V(of/4), of%4)
		m.EOR(d, d, key)
	}
	products(0, numbers)
	m.ADD(asm.S, numbers, numbers, step)
	upper(c+2, 0)
	withKey(c+2, 1)
	products(1, c+2)
	lower(c+2, 0)
	withKey(c+2, 3)
	upper(c, 1)
	withKey(c, 2)
	lower(c+1, 1)
	for round := 2; round < plan.PhiloxRounds; round++ {
		products(0, c)
		products(1, c+2)
		for i := range asm.V(2) {
			upper(c+2*i, 1-i)
			if round > 2 || i == 0 {
				m.EOR(c+2*i, c+2*i, c+2*i+1)
			}
			withKey(c+2*i, 2*round+int(i))
		}
		for i := range asm.V(2) {
			lower(c+2*i+1, 1-i)
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
