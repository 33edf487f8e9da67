package neon

import (
	"github.com/lowbit-go/lowbit/gen/neon/asm"
	"github.com/lowbit-go/lowbit/gen/plan"
)

// The registers of kernels that look codes of four bits up: a group's table from one on, and constants.
const (
	pairTable = asm.V(16)
	pairMask  = asm.V(20)
	pairBytes = asm.V(21)
)

// BeginPairs loads constants.
func (m *Machine) BeginPairs(bits int) {
	word := func(d asm.V, x int) {
		m.XMOVI(r0, x)
		m.DUPX(asm.S, d, r0)
	}
	word(pairMask, 0x0f0f0f0f)
	if bits == 32 {
		word(pairBytes, 0x03020100)
	}
}

// LoadTable loads a table; one of 16 bits has its lower bytes in one register, the upper ones in the next.
func (m *Machine) LoadTable(bits int) {
	const first, second = asm.V(0), asm.V(1)
	if bits == 16 {
		m.LDR(asm.Q, first, m.mem(plan.Addr{Reg: plan.Tables}))
		m.LDR(asm.Q, second, m.mem(plan.Addr{Reg: plan.Tables, Disp: 16}))
		m.UZP1(asm.B, pairTable, first, second)
		m.UZP2(asm.B, pairTable+1, first, second)
		return
	}
	for i := range 4 {
		m.LDR(asm.Q, pairTable+asm.V(i), m.mem(plan.Addr{Reg: plan.Tables, Disp: 16 * i}))
	}
}

// LookUpPairs looks the elements of eight bytes up.
func (m *Machine) LookUpPairs(bits int) int {
	const first, second, low, high, codes = asm.V(0), asm.V(1), asm.V(2), asm.V(3), asm.V(4)
	at := plan.Addr{Reg: plan.LookedUp}
	store := func(v asm.V) {
		m.STR(asm.Q, m.mem(at), v)
		at.Disp += 16
	}
	m.LDR(asm.D, second, m.mem(plan.Addr{Reg: plan.PairsOfCodes}))
	m.USHR(asm.B, first, second, 4)
	m.AND(second, second, pairMask)
	m.ZIP1(asm.B, codes, first, second)
	if bits == 16 {
		m.TBL(low, pairTable, 1, codes)
		m.TBL(high, pairTable+1, 1, codes)
		m.ZIP1(asm.B, codes, low, high)
		store(codes)
		m.ZIP2(asm.B, codes, low, high)
		store(codes)
		return 16
	}
	m.SHL(asm.B, codes, codes, 2)
	m.ZIP1(asm.B, low, codes, codes)
	m.ZIP2(asm.B, high, codes, codes)
	for _, pairs := range []asm.V{low, high} {
		for _, zip := range []func(asm.Size, asm.V, asm.V, asm.V){m.ZIP1, m.ZIP2} {
			zip(asm.H, codes, pairs, pairs)
			m.ORR(codes, codes, pairBytes)
			m.TBL(codes, pairTable, 4, codes)
			store(codes)
		}
	}
	return 16
}
