package neon

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/lowbit-go/lowbit/gen/ir"
	"github.com/lowbit-go/lowbit/gen/neon/asm"
	"github.com/lowbit-go/lowbit/gen/plan"
)

// Extras are the constants behind an instruction sequence.
func (m *Machine) Extras(n *ir.Node) []*ir.Node {
	k := ir.Of(n)
	switch {
	case n.Op == ir.OpFoldMin:
		return []*ir.Node{k.Const(float32(math.Inf(1)))}
	case n.Op == ir.OpFoldMax:
		return []*ir.Node{k.Const(float32(math.Inf(-1)))}
	case n.Op == ir.OpFoldIMax && n.Args[0].Type == ir.I16:
		return []*ir.Node{k.Int(-0x7fff8000)}
	case n.Op == ir.OpFoldIMax:
		return []*ir.Node{k.Int(-1 << 31)}
	case n.Op == ir.OpFoldUMax:
		return []*ir.Node{k.Int(0)}
	case n.Op == ir.OpFoldUMin:
		return []*ir.Node{k.Int(-1)}
	case n.Op == ir.OpLoad && n.Mem == ir.MemU8 && n.Type == ir.F32: // 2^23 without its last bits
		return []*ir.Node{k.Int(0x4b004b00), k.Const(0x1p23)}
	case n.Op == ir.OpLoad && n.Mem == ir.MemCodes: // likewise, with the sign as bytes
		sign := k.Word(ir.SignWord, ir.MemI32)
		return []*ir.Node{k.Int(0x4b004b00), k.Const(0x1p23).Add(sign.ToFloat()), sign.Narrow16().NarrowU8()}
	case n.Op == ir.OpAlarmHalf:
		return []*ir.Node{k.Int(1<<31 - 1), k.Const(0x1p-14)}
	case n.Op == ir.OpOfHalf:
		return []*ir.Node{k.Int(-1 << 13)}
	case n.Op == ir.OpPass:
		return []*ir.Node{k.Short(0x8000)}
	case n.Op == ir.OpClip:
		return []*ir.Node{n.Args[0].Magnitude()}
	case n.Op == ir.OpShrBy: // to the left by less than nothing
		return []*ir.Node{k.Int(0).ISub(n.Args[1])}
	case n.Op == ir.OpInside:
		return []*ir.Node{n.Args[1].Magnitude()}
	case n.Op == ir.OpHalves:
		if c, bits := n.HalvesBits(); bits < 15-c {
			return []*ir.Node{k.Int(0x00010001 * (1<<bits - 1))}
		}
	case n.Op == ir.OpHalvesBy: // doubled, over 65536, it is over 128
		upper := n.Args[1].Shr(16).Shl(8)
		return []*ir.Node{upper.Or(upper.Shl(16))}
	case n.Op == ir.OpHalvesHigh: // likewise, 2^15 times one weight over the other
		weights := n.Args[1]
		upper := weights.Shr(16).ToFloat().Div(weights.And(k.Int(0xffff)).ToFloat()).Mul(k.Const(1 << 15)).ToInt()
		return []*ir.Node{upper.Or(upper.Shl(16))}
	case n.Op == ir.OpStore && n.Mem == ir.MemFloat: // the sign, and the table
		var words []uint32
		for i := 0; i < len(n.Table); i += 4 {
			words = append(words, binary.LittleEndian.Uint32([]byte(n.Table[i:])))
		}
		return []*ir.Node{k.Byte(0x80), k.TableConst(words)}
	case n.Op == ir.OpAlarmCode:
		return []*ir.Node{k.Int(-1)}
	case n.Op == ir.OpLoad && n.Mem == ir.MemE4M3: // all but a copy of the sign
		return []*ir.Node{k.Int(-0x40004001)}
	case n.Op == ir.OpLoad && n.Mem == ir.MemE2M1: // the bits kept, and the high bytes of the values as float16
		return []*ir.Node{k.Int(0x0f0f0f0f), k.TableConst([]uint32{0x3e3c3800, 0x46444240, 0xbebcb880, 0xc6c4c2c0})}
	case n.Op == ir.OpLoad && n.Mem == ir.MemU6: // three bytes to each four, and what is kept of each step
		spread := k.TableConst([]uint32{0xff020100, 0xff050403, 0xff080706, 0xff0b0a09})
		return []*ir.Node{spread, k.Int(0x00000fff), k.Int(0x0fff0000), k.Int(0x003f003f), k.Int(0x3f003f00)}
	case n.Op == ir.OpStore && n.Mem == ir.MemU6:
		return []*ir.Node{k.TableConst([]uint32{0x04020100, 0x09080605, 0x0e0d0c0a, 0xffffffff})}
	case n.Op == ir.OpLoad && (n.Mem == ir.MemU4 || n.Mem == ir.MemU2): // the bits kept of each byte
		return []*ir.Node{k.Byte(1<<n.Mem.Bits() - 1)}
	case n.Op == ir.OpLoad && n.Mem == ir.MemBits && n.Type == ir.Mask16:
		return []*ir.Node{k.TableConst([]uint32{0x00020001, 0x00080004, 0x00200010, 0x00800040})}
	case n.Op == ir.OpLoad && n.Mem == ir.MemBits:
		return []*ir.Node{k.TableConst([]uint32{1, 2, 4, 8}), k.TableConst([]uint32{16, 32, 64, 128})}
	case n.Op == ir.OpStore && (n.Mem == ir.MemBits || n.Mem == ir.MemMask):
		extras := []*ir.Node{k.TableConst([]uint32{0x08040201, 0x80402010, 0x08040201, 0x80402010})}
		if n.Mem == ir.MemMask && n.Equality() == ir.OpInside {
			extras = append(extras, n.Args[1].Magnitude())
		}
		return extras
	case n.Op == ir.OpRoundElem:
		return []*ir.Node{k.Int(0x7fff)}
	case n.Op == ir.OpStore && (n.Mem == ir.MemBF16 || n.Mem == ir.MemNarrow):
		return []*ir.Node{k.Int(0x10000), k.Int(0x7fff)}
	}
	return nil
}

type (
	emit1 = func(d, a asm.V)
	emit2 = func(d, a, b asm.V)
)

func (m *Machine) unary(s *plan.Seg, f emit1, a plan.V) plan.V {
	return s.Op(plan.Vec, func(d int, u []int) { f(asm.V(d), asm.V(u[0])) }, a)
}

func (m *Machine) binary(s *plan.Seg, f emit2, a, b plan.V) plan.V {
	return s.Op(plan.Vec, func(d int, u []int) { f(asm.V(d), asm.V(u[0]), asm.V(u[1])) }, a, b)
}

// sized fixes the element size of an instruction.
func sized(s asm.Size, f func(s asm.Size, d, a, b asm.V)) emit2 {
	return func(d, a, b asm.V) { f(s, d, a, b) }
}

// lane is the size of a type's lanes.
func lane(t ir.Type) asm.Size {
	if t == ir.I16 {
		return asm.H
	}
	return asm.S
}

// simple maps operations to instructions of two operands, or nil.
func (m *Machine) simple(n *ir.Node) emit2 {
	switch n.Op {
	case ir.OpAdd:
		return m.FADD
	case ir.OpSub:
		return m.FSUB
	case ir.OpMul:
		return m.FMUL
	case ir.OpDiv:
		return m.FDIV
	case ir.OpMax, ir.OpMaximum: // a NaN in either is kept
		return m.FMAX
	case ir.OpMin, ir.OpMinimum:
		return m.FMIN
	case ir.OpIAdd:
		return sized(asm.S, m.ADD)
	case ir.OpISub:
		return sized(asm.S, m.SUB)
	case ir.OpIMax:
		return sized(lane(n.Type), m.SMAX)
	case ir.OpUMin:
		return sized(lane(n.Type), m.UMIN)
	case ir.OpUMax:
		return sized(lane(n.Type), m.UMAX)
	case ir.OpAnd, ir.OpKeep:
		return m.AND
	case ir.OpOr:
		return m.ORR
	case ir.OpXor:
		return m.EOR
	case ir.OpEq:
		return m.FCMEQ
	case ir.OpIEq:
		return sized(lane(n.Args[0].Type), m.CMEQ)
	case ir.OpAddSat16:
		return sized(asm.H, m.SQADD)
	case ir.OpMaxS8:
		return sized(asm.B, m.SMAX)
	case ir.OpMaxU8:
		return sized(asm.B, m.UMAX)
	case ir.OpMinS8:
		return sized(asm.B, m.SMIN)
	case ir.OpMinU8:
		return sized(asm.B, m.UMIN)
	case ir.OpSub8:
		return sized(asm.B, m.SUB)
	}
	return nil
}

// ofOne maps operations to instructions of one operand, or nil.
func (m *Machine) ofOne(n *ir.Node) emit1 {
	switch n.Op {
	case ir.OpRound:
		return m.FRINTN
	case ir.OpSqrt:
		return m.FSQRT
	case ir.OpToInt:
		return m.FCVTNS
	case ir.OpToFloat:
		return m.SCVTF
	case ir.OpShl:
		return func(d, a asm.V) { m.SHL(asm.S, d, a, int(n.Bits)) }
	case ir.OpShr:
		size := map[ir.Type]asm.Size{ir.I32: asm.S, ir.I8: asm.B}[n.Type]
		return func(d, a asm.V) { m.USHR(size, d, a, int(n.Bits)) }
	}
	return nil
}

// Lower emits one slot of a node.
func (m *Machine) Lower(s *plan.Seg, n *ir.Node, slot int, args [][]plan.V, at plan.Addr) plan.V {
	for _, lower := range []func(*plan.Seg, *ir.Node, [][]plan.V) (plan.V, bool){m.lowerNumbers, m.lowerCodes, m.lowerConstant} {
		if v, ok := lower(s, n, args); ok {
			return v
		}
	}
	if m.lowerAlarm(s, n, args, at) {
		return -1
	}
	switch n.Op {
	case ir.OpLoad:
		return m.load(s, n, slot, args, at)
	case ir.OpParam:
		if s.Lanes() {
			return m.load(s, n, slot, args, at)
		}
		return s.Op(plan.Vec, func(d int, _ []int) { m.Spread(d, at) })
	case ir.OpStore:
		m.store(s, n, args, at)
		return -1
	case ir.OpResult:
		m.result(s, n, args[0][0], at)
		return -1
	}
	panic(fmt.Sprintf("neon: no lowering for %s", n.Op))
}

// lowerNumbers lowers operations on numbers, and on masks of their lanes.
func (m *Machine) lowerNumbers(s *plan.Seg, n *ir.Node, args [][]plan.V) (plan.V, bool) {
	if f := m.simple(n); f != nil {
		return m.binary(s, f, args[0][0], args[1][0]), true
	}
	if f := m.ofOne(n); f != nil {
		return m.unary(s, f, args[0][0]), true
	}
	switch n.Op {
	case ir.OpMulAdd:
		if c := n.Args[2]; c.Op == ir.OpConst && c.Bits == 0 {
			return s.OpApart(plan.Vec, func(d int, u []int) {
				m.MOVI(asm.V(d), 0)
				m.FMLA(asm.V(d), asm.V(u[0]), asm.V(u[1]))
			}, args[0][0], args[1][0]), true
		}
		return m.fused(s, m.FMLA, args), true
	case ir.OpMulSub:
		return m.fused(s, m.FMLA, [][]plan.V{args[0], args[1], {m.unary(s, m.FNEG, args[2][0])}}), true
	case ir.OpMulSubFrom:
		return m.fused(s, m.FMLS, args), true
	case ir.OpRoundElem:
		return m.roundElem(s, n, args[0][0]), true
	case ir.OpWidenUpper:
		return m.widenUpper(s, n, args[0][0]), true
	case ir.OpOfHalf:
		return m.binary(s, m.AND, args[0][0], args[1][0]), true
	case ir.OpOrAnd:
		return m.binary(s, m.ORR, args[0][0], m.binary(s, m.AND, args[1][0], args[2][0])), true
	case ir.OpShrBy:
		return m.binary(s, sized(asm.S, m.USHL), args[0][0], args[2][0]), true
	case ir.OpClip: // of the magnitude
		return m.binary(s, sized(asm.S, m.UMIN), args[2][0], args[1][0]), true
	case ir.OpInside:
		return m.binary(s, sized(asm.S, m.CMEQ), args[0][0], args[2][0]), true
	case ir.OpOrdered:
		return m.binary(s, m.FCMEQ, args[0][0], args[0][0]), true
	case ir.OpOneNaN: // of two NaNs the first
		return m.binary(s, m.FMAXNM, args[1][0], args[0][0]), true
	case ir.OpSelect:
		return m.choose(s, args[0][0], args[1][0], args[2][0]), true
	case ir.OpPass:
		return m.binary(s, m.AND, m.binary(s, m.ORR, args[0][0], args[2][0]), args[1][0]), true
	}
	return 0, false
}

// lowerCodes lowers what joins registers of lanes to fewer of words or bytes.
func (m *Machine) lowerCodes(s *plan.Seg, n *ir.Node, args [][]plan.V) (plan.V, bool) {
	join := func(f emit2) plan.V { return m.binary(s, f, args[0][0], args[0][1]) }
	switch n.Op {
	case ir.OpInOrder:
		return args[0][0], true
	case ir.OpHalves:
		sum, high := join(sized(asm.H, m.UZP1)), join(sized(asm.H, m.UZP2))
		c, _ := n.HalvesBits()
		s.Add(plan.Inst{Defs: []plan.V{sum}, Uses: []plan.V{sum, high}, Emit: func(d, u []int) { m.USRA(asm.H, asm.V(d[0]), asm.V(u[1]), c) }})
		if len(args) == 1 {
			return sum, true
		}
		return m.binary(s, sized(asm.H, m.UMIN), sum, args[1][0]), true
	case ir.OpHalvesBy, ir.OpHalvesHigh:
		low, high := join(sized(asm.H, m.UZP1)), join(sized(asm.H, m.UZP2))
		return m.binary(s, sized(asm.H, m.ADD), low, m.binary(s, sized(asm.H, m.SQDMULH), high, args[2][0])), true
	case ir.OpSigns: // the upper halves
		return join(sized(asm.H, m.UZP2)), true
	case ir.OpSigns8:
		return join(sized(asm.B, m.UZP2)), true
	case ir.OpNarrow16:
		return m.narrow(s, asm.S, m.SQXTN, m.SQXTN2, args[0]), true
	case ir.OpNarrowS8:
		return m.narrow(s, asm.H, m.SQXTN, m.SQXTN2, args[0]), true
	case ir.OpNarrowU8, ir.OpShuffledU8:
		return m.narrow(s, asm.H, m.SQXTUN, m.SQXTUN2, args[0]), true
	case ir.OpBytes:
		return m.unary(s, func(d, a asm.V) { m.USHR(asm.B, d, a, 7) }, m.signBytes(s, args[0])), true
	}
	return 0, false
}

// lowerConstant lowers what is the same for a call.
func (m *Machine) lowerConstant(s *plan.Seg, n *ir.Node, _ [][]plan.V) (plan.V, bool) {
	vec := func(emit func(d asm.V)) (plan.V, bool) {
		return s.Op(plan.Vec, func(d int, _ []int) { emit(asm.V(d)) }), true
	}
	switch n.Op {
	case ir.OpWord:
		return vec(func(d asm.V) {
			m.LDRARG(asm.S, d, n.Name, m.offsets[n.Name])
			m.DUP(asm.S, d, d, 0)
		})
	case ir.OpConst:
		if n.Bits == 0 {
			return vec(func(d asm.V) { m.MOVI(d, 0) })
		}
		return vec(func(d asm.V) {
			m.XMOVI(r0, int(n.Bits))
			m.DUPX(asm.S, d, r0)
		})
	case ir.OpTable:
		return vec(func(d asm.V) { m.table(d, n.Table) })
	}
	return 0, false
}

// result stores what a group comes to: a number, or a register of them.
func (m *Machine) result(s *plan.Seg, n *ir.Node, v plan.V, at plan.Addr) {
	size := asm.S
	if s.Results() > 1 {
		size = asm.Q
	}
	if n.Mem.Bits() == 16 {
		v, size = m.upperHalves(s, v), size-1
	}
	s.Add(plan.Inst{Uses: []plan.V{v}, Emit: func(_, u []int) { m.STR(size, m.mem(at), asm.V(u[0])) }})
}

// fused is c ± a*b; the instruction overwrites c.
func (m *Machine) fused(s *plan.Seg, f emit2, args [][]plan.V) plan.V {
	return s.OpTied(plan.Vec, func(d int, u []int) {
		if d != u[0] {
			m.MOV(asm.V(d), asm.V(u[0]))
		}
		f(asm.V(d), asm.V(u[1]), asm.V(u[2]))
	}, args[2][0], args[0][0], args[1][0])
}

// choose is mask ? a : b; the instruction overwrites the mask.
func (m *Machine) choose(s *plan.Seg, mask, a, b plan.V) plan.V {
	return s.OpTied(plan.Vec, func(d int, u []int) {
		if d != u[0] {
			m.MOV(asm.V(d), asm.V(u[0]))
		}
		m.BSL(asm.V(d), asm.V(u[1]), asm.V(u[2]))
	}, mask, a, b)
}

// upperHalves are those of the lanes, in half a register.
func (m *Machine) upperHalves(s *plan.Seg, v plan.V) plan.V {
	return m.unary(s, func(d, a asm.V) { m.UZP2(asm.H, d, a, a) }, v)
}

// narrow joins two registers at half their lanes' width.
func (m *Machine) narrow(s *plan.Seg, wide asm.Size, lo, hi func(wide asm.Size, d, n asm.V), v []plan.V) plan.V {
	return s.OpTied(plan.Vec, func(d int, u []int) {
		lo(wide, asm.V(d), asm.V(u[0]))
		hi(wide, asm.V(d), asm.V(u[1]))
	}, v[0], v[1])
}

// signBytes joins four lane masks to bytes of ones or zeros.
func (m *Machine) signBytes(s *plan.Seg, v []plan.V) plan.V {
	h := sized(asm.H, m.UZP1)
	return m.binary(s, sized(asm.B, m.UZP1), m.binary(s, h, v[0], v[1]), m.binary(s, h, v[2], v[3]))
}
