package x86

import (
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"

	"github.com/lowbit-go/lowbit/gen/ir"
	"github.com/lowbit-go/lowbit/gen/plan"
)

// Kernels over interleaved blocks have sixteen bytes in 128 bits, and sixteen float32 in one register or two.

// CountDown takes one from a general register and jumps if something is left.
func (m *Machine) CountDown(r plan.GPR, l string) {
	m.i("DECQ", gprs[r])
	m.i("JNE", operand.LabelRef(l))
}

// StoreCheck stores a number, or the sum of two.
func (m *Machine) StoreCheck(p plan.GPR, check int, two bool) {
	if two {
		m.i("VHADDPS", xs[check], xs[check], xs[check])
	}
	m.i("VMOVSS", xs[check], operand.Mem{Base: gprs[p]})
}

// blockBytes are the instructions of two operands on bytes.
var blockBytes = map[ir.BlockOp]string{
	ir.BlockAnd: "VPAND", ir.BlockOr: "VPOR", ir.BlockLess: "VPSUBB", ir.BlockShuffle: "VPSHUFB", ir.BlockLower: "VPUNPCKLQDQ", ir.BlockUpper: "VPUNPCKHQDQ",
	ir.BlockLower32: "VPUNPCKLDQ", ir.BlockUpper32: "VPUNPCKHDQ", ir.BlockLeast: "VPMINSB", ir.BlockMost: "VPMAXSB",
}

// blockFloats are those on float32.
var blockFloats = map[ir.BlockOp]string{
	ir.BlockAdd: "VADDPS", ir.BlockSub: "VSUBPS", ir.BlockMul: "VMULPS", ir.BlockMax: "VMAXPS", ir.BlockMin: "VMINPS",
	ir.BlockDiv: "VDIVPS", ir.BlockPlus: "VPADDD", ir.BlockTimes: "VPMADDWD",
}

// BlockFolds says which operands arithmetic may have in memory: the second one, or either where their order is all the same.
func (m *Machine) BlockFolds(n *ir.BlockNode) int {
	switch n.Op {
	case ir.BlockAdd, ir.BlockMul:
		return 2
	case ir.BlockSub, ir.BlockDiv, ir.BlockMax, ir.BlockMin:
		return 1
	}
	return 0
}

// BlockTurns says that turns are not to be a loop.
func (m *Machine) BlockTurns() bool { return false }

// StoresPairs says that none does.
func (m *Machine) StoresPairs() bool { return false }

// BlockSpreads says that AVX-512 has arithmetic with one number for all lanes.
func (m *Machine) BlockSpreads() bool { return m.wide }

// BlockTables says that tables are of two registers, or with AVX2 of one.
func (m *Machine) BlockTables() int {
	if m.wide {
		return 32
	}
	return 8
}

// ofType is a register for a value of a type.
func (m *Machine) ofType(t ir.BlockType, r int) reg.VecPhysical {
	if t == ir.BlockBytes {
		return xs[r]
	}
	return m.vec(r)
}

// oneByteEach is the lowest bytes of sixteen integers that have no others.
func oneByteEach(bytes string) (narrow string, ok bool) {
	if len(bytes) != 64 {
		return "", false
	}
	for ; bytes != ""; bytes = bytes[4:] {
		if bytes[1:4] != "\x00\x00\x00" {
			return "", false
		}
		narrow += bytes[:1]
	}
	return narrow, true
}

// bytesOfConst are those of a constant for a register.
func (m *Machine) bytesOfConst(n *ir.BlockNode) string {
	if len(n.Bytes) == 16 && n.Type != ir.BlockBytes {
		return strings.Repeat(n.Bytes, m.Width()/4)
	}
	return n.Bytes
}

// constantPart is where a part of a constant is.
func (m *Machine) constantPart(n *ir.BlockNode, part int) operand.Mem {
	return m.constant(m.bytesOfConst(n)).Offset(4 * m.Width() * part)
}

// FoldsConstant says which operands may be in memory: the second one, or either where their order is all the same; but not of 64 bytes, which have
// registers enough.
func (m *Machine) FoldsConstant(n *ir.BlockNode, operand int) bool {
	switch n.Op {
	case ir.BlockAnd, ir.BlockOr, ir.BlockMul:
		return !m.wide
	case ir.BlockLess, ir.BlockShuffle:
		return !m.wide && operand == 1
	case ir.BlockMulAdd:
		return !m.wide && operand == 0
	}
	return false
}

// LowerFolded emits it.
func (m *Machine) LowerFolded(s *plan.Seg, n *ir.BlockNode, from, part int, args []plan.V) plan.V {
	at := m.constantPart(n.Args[from], part)
	if n.Op == ir.BlockMulAdd {
		return s.OpTied(plan.Vec, func(d int, u []int) {
			if d != u[0] {
				m.i("VMOVUPS", m.vec(u[0]), m.vec(d))
			}
			m.i("VFMADD231PS", at, m.vec(u[1]), m.vec(d))
		}, args[1], args[0])
	}
	name, ok := blockBytes[n.Op]
	if !ok {
		name = blockFloats[n.Op]
	}
	return s.Op(plan.Vec, func(d int, u []int) { m.i(name, at, m.ofType(n.Type, u[0]), m.ofType(n.Type, d)) }, args...)
}

// LowerBlock emits a part of a node.
func (m *Machine) LowerBlock(s *plan.Seg, n *ir.BlockNode, part int, args []plan.V, at, table plan.Addr) plan.V {
	if m.blockEffect(s, n, args, at) {
		return -1
	}
	if v, ok := m.blockSimple(s, n, args, at); ok {
		return v
	}
	if v, ok := m.blockLoad(s, n, part, args, at, table); ok {
		return v
	}
	if v, ok := m.blockMove(s, n, part, args); ok {
		return v
	}
	if v, ok := m.blockNumbers(s, n, args, at); ok {
		return v
	}
	if v, ok := m.lowerWriter(s, n, args, at, table); ok {
		return v
	}
	panic(fmt.Sprintf("x86: no lowering for operation %d of blocks", n.Op))
}

// blockEffect lowers what has no result of its own, and reports whether a node is that.
func (m *Machine) blockEffect(s *plan.Seg, n *ir.BlockNode, args []plan.V, at plan.Addr) bool {
	switch n.Op {
	case ir.BlockStash, ir.BlockStore:
		s.Add(plan.Inst{Uses: args, Emit: func(_, u []int) { m.i("VMOVUPS", m.vec(u[0]), m.mem(at, 0)) }})
	case ir.BlockPutBytes:
		s.Add(plan.Inst{Uses: args, Emit: func(_, u []int) { m.i("VMOVUPS", xs[u[0]], m.mem(at, 0)) }})
	case ir.BlockFinite: // 0 times what is not finite is NaN
		s.Add(plan.Inst{Defs: args[1:2], Uses: args, Emit: func(d, u []int) { m.i("VFMADD231PS", xs[u[2]], xs[u[0]], xs[d[0]]) }})
	case ir.BlockSum:
		s.Add(plan.Inst{Defs: args[1:], Uses: args, Emit: func(d, u []int) { m.i("VADDPS", m.vec(u[0]), m.vec(u[1]), m.vec(d[0])) }})
	case ir.BlockCarried:
		s.Add(plan.Inst{Defs: args[:1], Uses: args, Emit: func(d, u []int) { m.i("VMOVAPS", m.vec(u[1]), m.vec(d[0])) }})
	case ir.BlockScaled:
		s.Add(plan.Inst{Defs: args[:len(args)-1], Uses: args, Emit: func(_, u []int) { m.scaleBytes(u, at) }})
	case ir.BlockLookedUp:
		s.Add(plan.Inst{Defs: args, Uses: args, Emit: func(_, _ []int) { m.callRoutine("lookUp") }})
	default:
		return false
	}
	return true
}

// blockSimple lowers what is an instruction of two operands, the second of which may be in memory.
func (m *Machine) blockSimple(s *plan.Seg, n *ir.BlockNode, args []plan.V, at plan.Addr) (plan.V, bool) {
	if name, ok := blockBytes[n.Op]; ok {
		return s.Op(plan.Vec, func(d int, u []int) {
			a, b, to := m.ofType(n.Type, u[0]), m.ofType(n.Type, u[1]), m.ofType(n.Type, d)
			if n.Op == ir.BlockAnd || n.Op == ir.BlockOr {
				m.bitwise(name, b, a, to)
			} else {
				m.i(name, b, a, to)
			}
		}, args...), true
	}
	name, ok := blockFloats[n.Op]
	switch {
	case !ok:
		return 0, false
	case len(args) == 2:
		return m.binary(s, name, args[0], args[1]), true
	case at.Stack:
		name += "_BCST"
	}
	return s.Op(plan.Vec, func(d int, u []int) { m.i(name, m.mem(at, 0), m.vec(u[0]), m.vec(d)) }, args...), true
}

// blockLoad lowers what comes from memory, with args where it goes through a register.
func (m *Machine) blockLoad(s *plan.Seg, n *ir.BlockNode, part int, args []plan.V, at, table plan.Addr) (plan.V, bool) {
	op := func(emit func(d int, u []int)) (plan.V, bool) { return s.Op(plan.Vec, emit, args...), true }
	switch n.Op {
	case ir.BlockLoad:
		return op(func(d int, _ []int) { m.i("VMOVUPS", m.mem(at, 0), xs[d]) })
	case ir.BlockRow, ir.BlockLane, ir.BlockCarry:
		return op(func(d int, _ []int) { m.i("VMOVUPS", m.mem(at, 0), m.vec(d)) })
	case ir.BlockPick, ir.BlockElement:
		return op(func(d int, _ []int) { m.i("VBROADCASTSS", m.mem(at, 0), m.vec(d)) })
	case ir.BlockConst:
		return op(func(d int, _ []int) { m.blockConst(n, part, d) })
	case ir.BlockEach:
		bits := string(binary.LittleEndian.AppendUint32(nil, uint32(n.Off)))
		return op(func(d int, _ []int) { m.i("VBROADCASTSS", m.constant(bits), m.vec(d)) })
	case ir.BlockQuads:
		return op(func(d int, _ []int) { m.quads(n, part, d, at) })
	case ir.BlockFloat16:
		return op(func(d int, _ []int) { m.blockFloat16(n, d, at) })
	case ir.BlockPair:
		return op(func(d int, _ []int) {
			switch {
			case m.wide && n.Count >= 8:
				m.i("VCVTPH2PS", m.mem(at, 0), xs[d])
			case m.wide:
				m.i("VPBROADCASTD", m.mem(at, 0), xs[d])
				m.i("VCVTPH2PS", xs[d], xs[d])
			default:
				m.i("VPBROADCASTD", m.mem(at, 0), xs[d])
				m.i("VCVTPH2PS", xs[d], m.vec(d))
			}
		})
	case ir.BlockWiden:
		return op(func(d int, u []int) { m.widenBytes(d, u, n.Signed, part, at) })
	case ir.BlockSpread:
		return op(func(d int, _ []int) { m.i("VPMOVZXBD", m.mem(at, m.Width()*part), m.vec(d)) })
	case ir.BlockLoadTwos:
		return op(func(d int, u []int) { m.i("VPERMD", m.mem(at, 0), m.vec(u[0]), m.vec(d)) })
	case ir.BlockQuarters:
		if n.Count == 16 {
			return op(func(d int, _ []int) {
				m.i("VMOVUPS", m.mem(at, 0), xs[d])
				m.i("VPERMQ", operand.Imm(0x50), m.vec(d), m.vec(d))
			})
		}
		return op(func(d int, _ []int) { m.i("VPERMQ", operand.Imm(0xd8), m.mem(at, 0), m.vec(d)) })
	case ir.BlockSame:
		name := map[int]string{4: "VPBROADCASTD", 8: "VPBROADCASTQ", 16: "VBROADCASTI128"}[n.Count]
		if m.wide && n.Count == 16 {
			name = "VBROADCASTI32X4"
		}
		return op(func(d int, _ []int) { m.i(name, m.mem(at, 0), m.vec(d)) })
	case ir.BlockListed:
		return op(func(d int, _ []int) {
			m.i("MOVBLZX", m.mem(at, 0), scratch.As32())
			m.i("VBROADCASTSS", operand.Mem{Base: gprs[table.Reg], Index: scratch, Scale: 4}, m.vec(d))
		})
	}
	return 0, false
}

// blockMove lowers shifts, and what takes lanes or bits of registers to other places.
func (m *Machine) blockMove(s *plan.Seg, n *ir.BlockNode, part int, args []plan.V) (plan.V, bool) {
	op := func(emit func(d int, u []int)) (plan.V, bool) { return s.Op(plan.Vec, emit, args...), true }
	switch n.Op {
	case ir.BlockShr, ir.BlockShl:
		name := map[ir.BlockOp]string{ir.BlockShr: "VPSRLW", ir.BlockShl: "VPSLLW"}[n.Op]
		return op(func(d int, u []int) {
			m.i(name, operand.Imm(uint64(n.Off)), m.ofType(n.Type, u[0]), m.ofType(n.Type, d))
		})
	case ir.BlockShrEach:
		return m.binary(s, "VPSRLVD", args[0], args[1]), true
	case ir.BlockAny:
		return m.anyBit(s, n, args), true
	case ir.BlockEven:
		if m.wide {
			return op(func(d int, u []int) { m.i("VBROADCASTSS", xs[u[0]], m.vec(d)) })
		}
		return m.unary(s, "VMOVSLDUP", args[0]), true
	case ir.BlockOdd:
		if m.wide {
			return op(func(d int, u []int) { m.i("VPERMPS", m.vec(u[0]), m.vec(u[1]), m.vec(d)) })
		}
		return op(func(d int, u []int) { m.i("VMOVSHDUP", m.vec(u[0]), m.vec(d)) })
	case ir.BlockWidenTwos:
		return m.widenTwos(s, n, part, args), true
	case ir.BlockFourth:
		return op(func(d int, u []int) { m.i("VPERMILPS", m.vec(u[0]), m.vec(u[1]), m.vec(d)) })
	case ir.BlockSixteenth:
		return m.binary(s, "VPERMPS", args[0], args[1]), true
	case ir.BlockTable:
		return m.overwrite(s, func(d int, u []int) { m.i("VPERMI2PS", m.vec(u[2]), m.vec(u[1]), m.vec(d)) }, args...), true
	case ir.BlockSelect: // d & u[1] | u[2] &^ u[1]
		return m.overwrite(s, func(d int, u []int) { m.i("VPTERNLOGD", operand.U8(0xe2), m.vec(u[2]), m.vec(u[1]), m.vec(d)) }, args...), true
	case ir.BlockAmong:
		return m.among(s, args), true
	}
	return 0, false
}

// blockNumbers lowers the rest of arithmetic on float32.
func (m *Machine) blockNumbers(s *plan.Seg, n *ir.BlockNode, args []plan.V, at plan.Addr) (plan.V, bool) {
	switch n.Op {
	case ir.BlockNegate:
		return s.Op(plan.Vec, func(d int, u []int) {
			if m.wide {
				m.i("VPXORD_BCST", m.constant("\x00\x00\x00\x80"), m.vec(u[0]), m.vec(d))
			} else {
				m.i("VPXOR", m.constant(strings.Repeat("\x00\x00\x00\x80", m.Width())), m.vec(u[0]), m.vec(d))
			}
		}, args...), true
	case ir.BlockSqrt:
		return m.unary(s, "VSQRTPS", args[0]), true
	case ir.BlockRound:
		return m.round(s, args[0], roundEven), true
	case ir.BlockMulAdd: // a constant is not overwritten
		third := func(name string) func(d int, u []int) {
			return func(d int, u []int) { m.i(name, m.vec(u[2]), m.vec(u[1]), m.vec(d)) }
		}
		switch {
		case n.Args[0].Op != ir.BlockConst:
			return m.overwrite(s, third("VFMADD213PS"), args...), true
		case len(args) == 2:
			return m.overwrite(s, func(d int, u []int) { m.i("VFMADD231PS_BCST", m.mem(at, 0), m.vec(u[1]), m.vec(d)) }, args[1], args[0]), true
		}
		return m.overwrite(s, third("VFMADD231PS"), args[2], args[0], args[1]), true
	}
	return 0, false
}

// overwrite emits an instruction whose first operand is its result's register.
func (m *Machine) overwrite(s *plan.Seg, emit func(d int, u []int), args ...plan.V) plan.V {
	return s.OpTied(plan.Vec, func(d int, u []int) {
		if d != u[0] {
			m.i("VMOVAPS", m.vec(u[0]), m.vec(d))
		}
		emit(d, u)
	}, args...)
}

// blockConst loads a constant, from as few bytes as will do.
func (m *Machine) blockConst(n *ir.BlockNode, part, d int) {
	bytes := m.bytesOfConst(n)
	if narrow, ok := oneByteEach(bytes); ok && n.Type == ir.BlockInts {
		m.i("VPMOVZXBD", m.constant(narrow), m.vec(d))
	} else if first := bytes[:4]; len(bytes) == 64 && bytes == strings.Repeat(first, 16) {
		m.i("VBROADCASTSS", m.constant(first), m.vec(d))
	} else {
		m.i("VMOVUPS", m.constantPart(n, part), m.ofType(n.Type, d))
	}
}

// quads loads four numbers from each of several places.
func (m *Machine) quads(n *ir.BlockNode, part, d int, at plan.Addr) {
	quads, insert := m.Width()/4, "VINSERTF128"
	if m.wide {
		insert = "VINSERTF32X4"
	}
	m.i("VMOVUPS", m.mem(at, n.To*quads*part), xs[d])
	for q := 1; q < quads; q++ {
		m.i(insert, operand.U8(uint8(q)), m.mem(at, n.To*(quads*part+q)), m.vec(d), m.vec(d))
	}
}

// blockFloat16 loads a number for all lanes.
func (m *Machine) blockFloat16(n *ir.BlockNode, d int, at plan.Addr) {
	words := reg.VecPhysical(xs[d])
	switch {
	case m.wide && n.Count >= 8: // four are converted in fewer steps than one that is in all words
		m.i("VCVTPH2PS", m.mem(at, 0), xs[d])
		m.i("VBROADCASTSS", xs[d], m.vec(d))
		return
	case m.wide:
		words = half(d)
	}
	m.i("VPBROADCASTW", m.mem(at, 0), words)
	m.i("VCVTPH2PS", words, m.vec(d))
}

// anyBit keeps the third's bytes where the first has a bit of the second.
func (m *Machine) anyBit(s *plan.Seg, n *ir.BlockNode, args []plan.V) plan.V {
	vec := func(r int) reg.VecPhysical { return m.ofType(n.Type, r) }
	if m.wide {
		mask := s.Op(plan.Mask, func(d int, u []int) { m.i("VPTESTMB", vec(u[1]), vec(u[0]), ks[d]) }, args[0], args[1])
		return s.Op(plan.Vec, func(d int, u []int) { m.i("VMOVDQU8_Z", vec(u[1]), ks[u[0]], vec(d)) }, mask, args[2])
	}
	return s.OpApart(plan.Vec, func(d int, u []int) { // each byte of the second has one bit
		m.i("VPAND", vec(u[1]), vec(u[0]), vec(d))
		m.i("VPCMPEQB", vec(u[1]), vec(d), vec(d))
		m.i("VPAND", vec(u[2]), vec(d), vec(d))
	}, args...)
}

// widenTwos puts bytes beside zeros, or beside the bytes below, and then beside zeros again.
func (m *Machine) widenTwos(s *plan.Seg, n *ir.BlockNode, part int, args []plan.V) plan.V {
	beside := func(name string, low, high plan.V) plan.V {
		return s.Op(plan.Vec, func(d int, u []int) { m.i(name, m.vec(u[1]), m.vec(u[0]), m.vec(d)) }, low, high)
	}
	v, zero := args[0], args[1]
	words := s.OnceOf(n, 0, func() plan.V {
		name := [...]string{"VPUNPCKLBW", "VPUNPCKHBW"}[n.First]
		switch {
		case len(args) > 2:
			return beside(name, args[2], v)
		case n.Count == ir.AtBottom:
			return beside(name, v, zero)
		}
		return beside(name, zero, v)
	})
	name := [...]string{"VPUNPCKLWD", "VPUNPCKHWD"}[part]
	if n.Type == ir.BlockInts && n.Count == ir.AtBottom {
		return beside(name, words, zero)
	}
	return beside(name, zero, words)
}

// among looks for the place of v among fifteen by halves: four comparisons, each with what the ones before say, out of one place, two, four and eight. Tables of
// four stay in their lanes, and cost half of one of eight.
func (m *Machine) among(s *plan.Seg, args []plan.V) plan.V {
	v, middle, fourth, twelfth, odd, low, high := args[0], args[1], args[2], args[3], args[4], args[5], args[6]
	two := func(name string, a, b plan.V) plan.V {
		return s.Op(plan.Vec, func(d int, u []int) { m.i(name, m.vec(u[1]), m.vec(u[0]), m.vec(d)) }, a, b)
	}
	holds := func(place plan.V) plan.V { return m.compare(s, 0x1d, v, place) }
	look := func(table, at plan.V) plan.V { return two("VPERMILPS", table, at) }
	next := func(at, holds plan.V) plan.V { return two("VPSUBD", two("VPADDD", at, at), holds) } // what holds is -1
	top := holds(middle)
	at := s.Op(plan.Vec, func(d int, u []int) { m.i("VPSRLD", operand.Imm(31), m.vec(u[0]), m.vec(d)) }, top)
	at = next(at, holds(m.choose(s, top, twelfth, fourth)))
	at = next(at, holds(look(odd, at)))
	return next(at, holds(m.choose(s, top, look(high, at), look(low, at))))
}

// widenBytes has a register's worth of bytes as float32, of those in a register or in memory.
func (m *Machine) widenBytes(d int, u []int, signed bool, part int, at plan.Addr) {
	name := map[bool]string{false: "VPMOVZXBD", true: "VPMOVSXBD"}[signed]
	switch {
	case len(u) == 0:
		m.i(name, m.mem(at, m.Width()*part), m.vec(d))
	case part == 0:
		m.i(name, xs[u[0]], m.vec(d))
	default:
		m.i("VPSRLDQ", operand.Imm(8), xs[u[0]], xs[d])
		m.i(name, xs[d], m.vec(d))
	}
	m.i("VCVTDQ2PS", m.vec(d), m.vec(d))
}
