package neon

import (
	"fmt"

	"github.com/lowbit-go/lowbit/gen/ir"
	"github.com/lowbit-go/lowbit/gen/neon/asm"
	"github.com/lowbit-go/lowbit/gen/plan"
)

// Kernels over interleaved blocks have sixteen float32 in four registers.

// CountDown takes one from a general register and jumps if something is left.
func (m *Machine) CountDown(r plan.GPR, l string) {
	m.AddImm(r, -1)
	m.Branch(r, plan.NotEqual, 0, l)
}

// StoreCheck stores a number.
func (m *Machine) StoreCheck(p plan.GPR, check int, _ bool) {
	m.STR(asm.S, asm.At(asm.R(p), 0), asm.V(check))
}

// ofTwo are the instructions of two operands.
func (m *Machine) ofTwo(op ir.BlockOp) emit2 {
	switch op {
	case ir.BlockAnd:
		return m.AND
	case ir.BlockOr:
		return m.ORR
	case ir.BlockLess:
		return sized(asm.B, m.SUB)
	case ir.BlockShuffle:
		return func(d, a, b asm.V) { m.TBL(d, a, 1, b) }
	case ir.BlockLower:
		return sized(asm.D, m.ZIP1)
	case ir.BlockUpper:
		return sized(asm.D, m.ZIP2)
	case ir.BlockLower32:
		return sized(asm.S, m.ZIP1)
	case ir.BlockUpper32:
		return sized(asm.S, m.ZIP2)
	case ir.BlockAdd:
		return m.FADD
	case ir.BlockSub:
		return m.FSUB
	case ir.BlockMul:
		return m.FMUL
	case ir.BlockMax:
		return m.FMAX
	case ir.BlockMin:
		return m.FMIN
	case ir.BlockDiv:
		return m.FDIV
	case ir.BlockPlus:
		return sized(asm.S, m.ADD)
	case ir.BlockLeast:
		return sized(asm.B, m.SMIN)
	case ir.BlockMost:
		return sized(asm.B, m.SMAX)
	}
	return nil
}

// BlockFolds says that operands are in registers.
func (m *Machine) BlockFolds(*ir.BlockNode) int { return 0 }

// FoldsConstant says the same.
func (m *Machine) FoldsConstant(*ir.BlockNode, int) bool { return false }

// LowerFolded is for machines that say otherwise.
func (m *Machine) LowerFolded(*plan.Seg, *ir.BlockNode, int, int, []plan.V) plan.V {
	panic("neon: operands are in registers")
}

// BlockTurns says that turns are to be a loop: four elements take an instruction.
func (m *Machine) BlockTurns() bool { return true }

// StoresPairs says that it does.
func (m *Machine) StoresPairs() bool { return true }

// BlockSpreads says that operands are in registers.
func (m *Machine) BlockSpreads() bool { return false }

// BlockTables says that there are no tables of float32.
func (m *Machine) BlockTables() int { return 0 }

// LowerBlock emits a part of a node.
func (m *Machine) LowerBlock(s *plan.Seg, n *ir.BlockNode, part int, args []plan.V, at, table plan.Addr) plan.V {
	if f := m.ofTwo(n.Op); f != nil {
		return m.binary(s, f, args[0], args[1])
	}
	op := func(emit func(d asm.V)) plan.V {
		return s.Op(plan.Vec, func(d int, _ []int) { emit(asm.V(d)) })
	}
	switch n.Op {
	case ir.BlockLoad:
		return op(func(d asm.V) { m.LDR(asm.Q, d, m.mem(at)) })
	case ir.BlockQuads:
		at.Disp += n.To * part
		return op(func(d asm.V) { m.LDR(asm.Q, d, m.mem(at)) })
	case ir.BlockConst:
		return op(func(d asm.V) { m.table(d, n.Bytes) })
	case ir.BlockShr:
		return m.unary(s, func(d, a asm.V) { m.USHR(asm.B, d, a, n.Off) }, args[0])
	case ir.BlockShl:
		return m.unary(s, func(d, a asm.V) { m.SHL(asm.B, d, a, n.Off) }, args[0])
	case ir.BlockAny:
		return m.binary(s, m.AND, m.binary(s, sized(asm.B, m.CMTST), args[0], args[1]), args[2])
	case ir.BlockWiden:
		return m.widenBytes(s, n, part, args, at)
	case ir.BlockFloat16:
		return op(func(d asm.V) {
			m.LDR(asm.H, d, m.mem(at))
			m.FCVTL(d, d)
			m.DUP(asm.S, d, d, 0)
		})
	case ir.BlockListed:
		return op(func(d asm.V) {
			m.XLDR(asm.B, r0, m.mem(at))
			m.XADDLSL(r0, asm.R(table.Reg), r0, 2)
			m.LD1R(asm.S, d, r0)
		})
	case ir.BlockNegate:
		return m.unary(s, m.FNEG, args[0])
	case ir.BlockCarried:
		s.Add(plan.Inst{Defs: args[:1], Uses: args, Emit: func(d, u []int) { m.MOV(asm.V(d[0]), asm.V(u[1])) }})
		return -1
	case ir.BlockSqrt:
		return m.unary(s, m.FSQRT, args[0])
	case ir.BlockRound:
		return m.unary(s, m.FRINTN, args[0])
	case ir.BlockMulAdd:
		return m.binary(s, m.FADD, m.binary(s, m.FMUL, args[0], args[1]), args[2])
	case ir.BlockRow, ir.BlockLane, ir.BlockCarry:
		return op(func(d asm.V) { m.LDR(asm.Q, d, m.mem(at)) })
	case ir.BlockEach:
		return op(func(d asm.V) {
			m.XMOVI(r0, n.Off)
			m.DUPX(asm.S, d, r0)
		})
	case ir.BlockSum:
		s.Add(plan.Inst{Defs: args[1:], Uses: args, Emit: func(d, u []int) { m.FADD(asm.V(d[0]), asm.V(u[1]), asm.V(u[0])) }})
		return -1
	case ir.BlockPick, ir.BlockElement:
		return op(func(d asm.V) {
			m.LDR(asm.S, d, m.mem(at))
			m.DUP(asm.S, d, d, 0)
		})
	case ir.BlockStash, ir.BlockStore, ir.BlockPutBytes:
		s.Add(plan.Inst{Uses: args, Emit: func(_, u []int) { m.STR(asm.Q, m.mem(at), asm.V(u[0])) }})
		return -1
	case ir.BlockFinite: // 0 times what is not finite is NaN
		s.Add(plan.Inst{Defs: args[1:2], Uses: args, Emit: func(d, u []int) { m.FMLA(asm.V(d[0]), asm.V(u[0]), asm.V(u[2])) }})
		return -1
	}
	if v, ok := m.lowerWriter(s, n, args, at, table); ok {
		return v
	}
	panic(fmt.Sprintf("neon: no lowering for operation %d of blocks", n.Op))
}

// widenBytes has four of sixteen bytes as float32.
func (m *Machine) widenBytes(s *plan.Seg, n *ir.BlockNode, part int, args []plan.V, at plan.Addr) plan.V {
	low, high := m.UXTL, m.UXTL2
	if n.Signed {
		low, high = m.SXTL, m.SXTL2
	}
	widen := func(size asm.Size, upper bool, v plan.V) plan.V {
		f := low
		if upper {
			f = high
		}
		return m.unary(s, func(d, a asm.V) { f(size, d, a) }, v)
	}
	words := s.OnceOf(n, part/2, func() plan.V {
		var v plan.V
		if len(args) > 0 {
			v = args[0]
		} else {
			v = s.OnceOf(n, 2, func() plan.V {
				return s.Op(plan.Vec, func(d int, _ []int) { m.LDR(asm.Q, asm.V(d), m.mem(at)) })
			})
		}
		return widen(asm.H, part >= 2, v)
	})
	return m.unary(s, m.SCVTF, widen(asm.S, part%2 == 1, words))
}
