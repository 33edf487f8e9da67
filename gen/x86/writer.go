package x86

import (
	"encoding/binary"
	"strings"

	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"

	"github.com/lowbit-go/lowbit/gen/ir"
	"github.com/lowbit-go/lowbit/gen/plan"
)

// Kernels that write blocks, and those that find the parameters of sixteen blocks, have operations of their own.

// BlockConstant has the indices of permutations.
func (m *Machine) BlockConstant(n *ir.BlockNode) string {
	var b []byte
	switch {
	case n.Op == ir.BlockOrder: // of each four integers that were narrowed each lane of 128 bits has its own
		lanes := m.Width() / 4
		for i := range 4 * lanes {
			from := 4*(i%lanes) + i/lanes
			if !m.wide { // of the two registers that were narrowed first one has all of an operand
				from = i%2*4 + i/2%2 + i/4*2
			}
			b = binary.LittleEndian.AppendUint32(b, uint32(from))
		}
	case n.Op == ir.BlockOdd && m.wide:
		return strings.Repeat("\x01\x00\x00\x00", m.Width())
	case n.Op == ir.BlockPutEights && m.wide:
		for i := range 8 {
			b = binary.LittleEndian.AppendUint64(b, uint64(i%4*2+i/4))
		}
	}
	return string(b)
}

// lowerWriter emits a part of a node of such kernels.
func (m *Machine) lowerWriter(s *plan.Seg, n *ir.BlockNode, args []plan.V, at, other plan.Addr) (plan.V, bool) {
	root := func(emit func(u []int)) (plan.V, bool) {
		s.Add(plan.Inst{Uses: args, Emit: func(_, u []int) { emit(u) }})
		return -1, true
	}
	switch n.Op {
	case ir.BlockTruncate:
		return m.unary(s, "VCVTTPS2DQ", args[0]), true
	case ir.BlockNearest:
		return m.unary(s, "VCVTPS2DQ", args[0]), true
	case ir.BlockFloat:
		return m.unary(s, "VCVTDQ2PS", args[0]), true
	case ir.BlockShr32:
		return m.shift(s, "VPSRLD", args[0], uint32(n.Off)), true
	case ir.BlockShl32:
		return m.shift(s, "VPSLLD", args[0], uint32(n.Off)), true
	case ir.BlockSigned:
		if m.wide { // d & u[1] | u[2]
			return m.overwrite(s, func(d int, u []int) { m.i("VPTERNLOGD", operand.U8(0xea), m.vec(u[2]), m.vec(u[1]), m.vec(d)) }, args...), true
		}
		return s.OpApart(plan.Vec, func(d int, u []int) {
			m.i("VPAND", m.vec(u[1]), m.vec(u[0]), m.vec(d))
			m.i("VPOR", m.vec(u[2]), m.vec(d), m.vec(d))
		}, args...), true
	case ir.BlockAtLeast:
		return m.compare(s, 0x1d, args[0], args[1]), true
	case ir.BlockAbove:
		return m.compare(s, 0x1e, args[0], args[1]), true
	case ir.BlockChoose:
		return m.choose(s, args[0], args[1], args[2]), true
	case ir.BlockNarrow:
		bytes := map[bool]string{false: "VPACKUSWB", true: "VPACKSSWB"}[n.Signed]
		return m.binary(s, bytes, m.binary(s, "VPACKSSDW", args[0], args[1]), m.binary(s, "VPACKSSDW", args[2], args[3])), true
	case ir.BlockOrder:
		return m.permute(s, args[0], args[1]), true
	case ir.BlockPut:
		return root(func(u []int) { m.put(u[0], n.First%(m.Width()/4), n.Count, m.mem(at, 0)) })
	case ir.BlockPutEights:
		sorted := s.Op(plan.Vec, func(d int, u []int) {
			if m.wide {
				m.i("VPERMQ", m.vec(u[0]), m.vec(u[1]), m.vec(d))
			} else {
				m.i("VPERMQ", operand.U8(0xd8), m.vec(u[0]), m.vec(d))
			}
		}, args...)
		s.Add(plan.Inst{Uses: []plan.V{sorted}, Emit: func(_, u []int) {
			m.put(u[0], 0, m.Width()/8, m.mem(at, 0))
			m.put(u[0], m.Width()/8, m.Width()/8, m.mem(other, 0))
		}})
		return -1, true
	case ir.BlockPutBits:
		m.putBits(s, n, args, at)
		return -1, true
	case ir.BlockCopy:
		return root(func([]int) {
			load := map[int]string{1: "MOVBLZX", 2: "MOVWLZX"}[n.Count]
			store, from := map[int]string{1: "MOVB", 2: "MOVW"}[n.Count], map[int]reg.Register{1: scratch.As8(), 2: scratch.As16()}[n.Count]
			m.i(load, m.mem(at, 0), scratch.As32())
			m.i(store, from, m.mem(other, 0))
		})
	case ir.BlockStoreHalf:
		return root(func(u []int) {
			m.i("VCVTPS2PH", operand.U8(0), m.vec(u[0]), m.mem(at, 0))
		})
	}
	return -1, false
}

// put stores one sixteen of a register's bytes, or several.
func (m *Machine) put(v, first, count int, to operand.Mem) {
	switch {
	case count == 1 && first == 0:
		m.i("VMOVUPS", xs[v], to)
	case count == 1 && m.wide:
		m.i("VEXTRACTF32X4", operand.U8(uint8(first)), m.vec(v), to)
	case count == 1:
		m.i("VEXTRACTF128", operand.U8(uint8(first)), m.vec(v), to)
	case first == 0:
		m.i("VMOVUPS", half(v), to)
	default:
		m.i("VEXTRACTF64X4", operand.U8(1), m.vec(v), to)
	}
}

// putBits stores which bytes have a bit, sixteen at a place.
func (m *Machine) putBits(s *plan.Seg, n *ir.BlockNode, args []plan.V, at plan.Addr) {
	store := func() {
		for i := range m.Width() / 4 {
			if i > 0 {
				m.i("SHRQ", operand.Imm(16), scratch)
			}
			m.i("MOVW", scratch.As16(), m.mem(at, n.To*i))
		}
	}
	if m.wide {
		mask := s.Op(plan.Mask, func(d int, u []int) { m.i("VPTESTMB", m.vec(u[1]), m.vec(u[0]), ks[d]) }, args...)
		s.Add(plan.Inst{Uses: []plan.V{mask}, Emit: func(_, u []int) {
			m.i("KMOVQ", ks[u[0]], scratch)
			store()
		}})
		return
	}
	s.Add(plan.Inst{Uses: []plan.V{s.OpApart(plan.Vec, func(d int, u []int) { // each byte of the second has one bit
		m.i("VPAND", m.vec(u[1]), m.vec(u[0]), m.vec(d))
		m.i("VPCMPEQB", m.vec(u[1]), m.vec(d), m.vec(d))
	}, args...)}, Emit: func(_, u []int) {
		m.i("VPMOVMSKB", m.vec(u[0]), scratch.As32())
		store()
	}})
}
