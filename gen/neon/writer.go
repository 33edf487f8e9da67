package neon

import (
	"github.com/lowbit-go/lowbit/gen/ir"
	"github.com/lowbit-go/lowbit/gen/neon/asm"
	"github.com/lowbit-go/lowbit/gen/plan"
)

// Kernels that write blocks, and those that find the parameters of sixteen blocks, have operations of their own. Sixteen
// bytes have a register, and are narrowed in order.

// BlockConstant has a bit for each of eight bytes.
func (m *Machine) BlockConstant(n *ir.BlockNode) string {
	if n.Op == ir.BlockPutBits {
		return "\x01\x02\x04\x08\x10\x20\x40\x80\x01\x02\x04\x08\x10\x20\x40\x80"
	}
	return ""
}

// lowerWriter emits a part of a node of such kernels.
func (m *Machine) lowerWriter(s *plan.Seg, n *ir.BlockNode, args []plan.V, at, other plan.Addr) (plan.V, bool) {
	root := func(emit func(u []int)) (plan.V, bool) {
		s.Add(plan.Inst{Uses: args, Emit: func(_, u []int) { emit(u) }})
		return -1, true
	}
	switch n.Op {
	case ir.BlockTruncate:
		return m.unary(s, m.FCVTZS, args[0]), true
	case ir.BlockNearest:
		return m.unary(s, m.FCVTNS, args[0]), true
	case ir.BlockFloat:
		return m.unary(s, m.SCVTF, args[0]), true
	case ir.BlockShr32:
		return m.unary(s, func(d, a asm.V) { m.USHR(asm.S, d, a, n.Off) }, args[0]), true
	case ir.BlockShl32:
		return m.unary(s, func(d, a asm.V) { m.SHL(asm.S, d, a, n.Off) }, args[0]), true
	case ir.BlockSigned:
		return m.binary(s, m.ORR, m.binary(s, m.AND, args[0], args[1]), args[2]), true
	case ir.BlockAtLeast:
		return m.binary(s, m.FCMGE, args[0], args[1]), true
	case ir.BlockAbove:
		return m.binary(s, m.FCMGT, args[0], args[1]), true
	case ir.BlockChoose:
		return s.OpTied(plan.Vec, func(d int, u []int) {
			if d != u[0] {
				m.MOV(asm.V(d), asm.V(u[0]))
			}
			m.BSL(asm.V(d), asm.V(u[1]), asm.V(u[2]))
		}, args...), true
	case ir.BlockNarrow: // nothing is beyond a byte
		half := func(size asm.Size, a, b plan.V) plan.V { return m.binary(s, sized(size, m.UZP1), a, b) }
		return half(asm.B, half(asm.H, args[0], args[1]), half(asm.H, args[2], args[3])), true
	case ir.BlockPut:
		return root(func(u []int) {
			for i, v := range u {
				m.STR(asm.Q, m.mem(plan.Addr{Reg: at.Reg, Disp: at.Disp + 16*i}), asm.V(v))
			}
		})
	case ir.BlockPutEights:
		m.storeLane(s, asm.D, at, args[0])
		m.storeLane(s, asm.D, other, m.unary(s, func(d, a asm.V) { m.DUP(asm.D, d, a, 1) }, args[0]))
		return -1, true
	case ir.BlockPutBits:
		bits := m.binary(s, m.AND, m.binary(s, sized(asm.B, m.CMTST), args[0], args[1]), args[2])
		for range 3 {
			bits = m.binary(s, sized(asm.B, m.ADDP), bits, bits)
		}
		m.storeLane(s, asm.H, at, bits)
		return -1, true
	case ir.BlockCopy:
		return root(func([]int) {
			size := map[int]asm.Size{1: asm.B, 2: asm.H}[n.Count]
			m.XLDR(size, r0, m.mem(at))
			m.XSTR(size, m.mem(other), r0)
		})
	case ir.BlockStoreHalf:
		m.storeLane(s, asm.D, at, m.unary(s, m.FCVTN, args[0]))
		return -1, true
	}
	return -1, false
}

// storeLane stores the first lane of a register.
func (m *Machine) storeLane(s *plan.Seg, size asm.Size, at plan.Addr, v plan.V) {
	s.Add(plan.Inst{Uses: []plan.V{v}, Emit: func(_, u []int) { m.STR(size, m.mem(at), asm.V(u[0])) }})
}
