package x86

import (
	"github.com/mmcloughlin/avo/operand"

	"github.com/lowbit-go/lowbit/gen/plan"
)

// The registers of kernels that look codes of four bits up: a group's table in one or two, and constants.
const (
	pairTable = 15 - iota
	pairTable2
	pairOrder
	pairMask
)

// BeginPairs loads constants, which AVX2 needs.
func (m *Machine) BeginPairs(bits int) {
	switch {
	case m.wide:
	case bits == 16: // words of bytes of bytes of nibbles: each step parts its half of 128 bits
		m.i("VMOVUPS", m.whole([]uint32{0, 2, 4, 6, 1, 3, 5, 7}), m.vec(pairOrder))
		m.i("VPBROADCASTD", m.constant("\x0f\x0f\x0f\x0f"), m.vec(pairMask))
	default:
		m.i("VMOVUPS", m.whole(m.eachLane(func(i int) int { return 4 * (i ^ 1) })), m.vec(pairOrder))
	}
}

// LoadTable loads a table: to both halves of a register, or its bytes to two.
func (m *Machine) LoadTable(bits int) {
	at, table := plan.Addr{Reg: plan.Tables}, m.vec(pairTable)
	switch {
	case m.wide && bits == 16:
		m.i("VBROADCASTI64X4", m.mem(at, 0), table)
	case m.wide:
		m.i("VMOVUPS", m.mem(at, 0), table)
	case bits == 16:
		m.i("VMOVUPS", m.mem(at, 0), m.vec(pairTable2))
		m.part(m.vec(pairTable2), table)
	default:
		m.i("VMOVUPS", m.mem(at, 0), table)
		m.i("VMOVUPS", m.mem(at, 32), m.vec(pairTable2))
	}
}

// LookUpPairs looks up the elements of 16 bytes with AVX-512, or of eight if they have 32 bits, and of 32 and of eight with AVX2. What is above the
// four bits of a code in an index counts for nothing, or chooses the other half of a register that has the same.
func (m *Machine) LookUpPairs(bits int) int {
	codes, to := plan.Addr{Reg: plan.PairsOfCodes}, plan.Addr{Reg: plan.LookedUp}
	table, table2 := m.vec(pairTable), m.vec(pairTable2)
	switch {
	case m.wide:
		widen, wider, look := "VPMOVZXBD", "D", "VPERMW"
		if bits == 32 {
			widen, wider, look = "VPMOVZXBQ", "Q", "VPERMPS"
		}
		both, first := m.vec(0), m.vec(1)
		m.i(widen, m.mem(codes, 0), both)
		m.i("VPSRL"+wider, operand.Imm(4), both, first)
		m.i("VPSLL"+wider, operand.Imm(uint64(bits)), both, both)
		m.i("VPOR"+wider, first, both, both)
		m.i(look, table, both, both)
		m.i("VMOVUPS", both, m.mem(to, 0))
		return 512 / bits
	case bits == 16:
		second, first, next, high, low := m.vec(0), m.vec(1), m.vec(2), m.vec(3), m.vec(4)
		m.i("VPERMD", m.mem(codes, 0), m.vec(pairOrder), second)
		m.i("VPSRLW", operand.Imm(4), second, first)
		m.i("VPAND", m.vec(pairMask), first, first)
		m.i("VPAND", m.vec(pairMask), second, second)
		m.i("VPUNPCKHBW", second, first, next)
		m.i("VPUNPCKLBW", second, first, first)
		for i, v := range []int{1, 2} {
			m.i("VPSHUFB", m.vec(v), table, low)
			m.i("VPSHUFB", m.vec(v), table2, high)
			m.i("VPUNPCKLBW", high, low, m.vec(v))
			m.i("VMOVUPS", m.vec(v), m.mem(to, 64*i))
			m.i("VPUNPCKHBW", high, low, low)
			m.i("VMOVUPS", low, m.mem(to, 64*i+32))
		}
		return 64
	}
	for i := range 2 {
		v, upper, other := m.vec(3*i), m.vec(3*i+1), m.vec(3*i+2)
		m.i("VPBROADCASTD", m.mem(codes, 4*i), v)
		m.i("VPSRLVD", m.vec(pairOrder), v, v)
		m.i("VPSLLD", operand.Imm(28), v, upper)
		m.i("VPERMPS", table2, v, other)
		m.i("VPERMPS", table, v, v)
		m.i("VBLENDVPS", upper, other, v, v)
		m.i("VMOVUPS", v, m.mem(to, 32*i))
	}
	return 16
}
