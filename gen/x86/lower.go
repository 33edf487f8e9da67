package x86

import (
	"fmt"
	"math"

	"github.com/mmcloughlin/avo/operand"

	"github.com/lowbit-go/lowbit/gen/ir"
	"github.com/lowbit-go/lowbit/gen/plan"
)

// simple maps operations to three-operand instructions: {AVX2, AVX-512}.
var simple = map[ir.Op][2]string{
	ir.OpAdd: {"VADDPS", "VADDPS"}, ir.OpSub: {"VSUBPS", "VSUBPS"}, ir.OpMul: {"VMULPS", "VMULPS"}, ir.OpDiv: {"VDIVPS", "VDIVPS"},
	ir.OpIAdd: {"VPADDD", "VPADDD"}, ir.OpISub: {"VPSUBD", "VPSUBD"}, ir.OpIMax: {"VPMAXSD", "VPMAXSD"}, ir.OpUMin: {"VPMINUD", "VPMINUD"},
	ir.OpUMax: {"VPMAXUD", "VPMAXUD"}, ir.OpAnd: {"VPAND", "VPANDD"}, ir.OpOr: {"VPOR", "VPORD"}, ir.OpXor: {"VPXOR", "VPXORD"},
	ir.OpAddSat16: {"VPADDSW", "VPADDSW"}, ir.OpMaxS8: {"VPMAXSB", "VPMAXSB"}, ir.OpMaxU8: {"VPMAXUB", "VPMAXUB"},
	ir.OpMinS8: {"VPMINSB", "VPMINSB"}, ir.OpMinU8: {"VPMINUB", "VPMINUB"},
	ir.OpSub8: {"VPSUBB", "VPSUBB"}, ir.OpShrBy: {"VPSRLVD", "VPSRLVD"},
}

// commutes are those of the simple ones that take the first operand from memory as well.
var commutes = map[ir.Op]bool{ir.OpMul: true, ir.OpAnd: true}

// simple16 are those of 16-bit lanes where these have their own.
var simple16 = map[ir.Op]string{ir.OpIMax: "VPMAXSW", ir.OpIMin: "VPMINSW", ir.OpUMin: "VPMINUW", ir.OpUMax: "VPMAXUW"}

const roundEven = 8 // to nearest even, no exceptions

// Extras are the constants behind an instruction sequence.
func (m *Machine) Extras(n *ir.Node) []*ir.Node {
	switch n.Op {
	case ir.OpNarrowS8, ir.OpNarrowU8, ir.OpInOrder:
		return []*ir.Node{ir.Of(n).TableConst(m.order())}
	case ir.OpBytes:
		if m.wide {
			return []*ir.Node{ir.Of(n).Int(0x01010101)}
		}
		return []*ir.Node{ir.Of(n).TableConst(m.order())}
	case ir.OpPass:
		return []*ir.Node{ir.Of(n).Short(0x8000)}
	case ir.OpClip:
		if !m.wide {
			return []*ir.Node{n.Args[0].Magnitude()}
		}
	case ir.OpInside:
		if !m.wide {
			return []*ir.Node{n.Args[1].Magnitude()}
		}
	case ir.OpHalves: // weights with which the largest sum fills what is below the sign
		c, bits := n.HalvesBits()
		return []*ir.Node{ir.Of(n).Int((1<<16 | 1<<c) << (15 - bits - c))}
	case ir.OpWiden:
		return m.widenExtras(n)
	case ir.OpLookUp16:
		return m.planes(n)
	case ir.OpPlane:
		return []*ir.Node{m.everySecond(n)}
	case ir.OpAlarmCode:
		return []*ir.Node{ir.Of(n).Int(-1)}
	case ir.OpAlarmLow:
		return []*ir.Node{ir.Of(n).Int(-0x7fff8000)}
	case ir.OpLoad:
		return m.loadExtras(n)
	case ir.OpStore:
		return m.storeExtras(n)
	case ir.OpFoldMin:
		return []*ir.Node{ir.Of(n).Const(float32(math.Inf(1)))}
	case ir.OpFoldMax:
		return []*ir.Node{ir.Of(n).Const(float32(math.Inf(-1)))}
	case ir.OpFoldIMax:
		if n.Args[0].Type == ir.I16 {
			return []*ir.Node{ir.Of(n).Int(-0x7fff8000)}
		}
		return []*ir.Node{ir.Of(n).Int(-1 << 31)}
	case ir.OpFoldUMax:
		return []*ir.Node{ir.Of(n).Int(0)}
	case ir.OpFoldUMin:
		return []*ir.Node{ir.Of(n).Int(-1)}
	}
	return nil
}

// order undoes what two packs within 128-bit lanes do to a tile's bytes.
func (m *Machine) order() []uint32 {
	var w []uint32
	lanes := m.Width() / 4
	for i := range 4 {
		for l := range lanes {
			w = append(w, uint32(i+4*l))
		}
	}
	return w
}

// Lower emits one slot of a node.
func (m *Machine) Lower(s *plan.Seg, n *ir.Node, slot int, args [][]plan.V, at plan.Addr) plan.V {
	one := func(name string, order ...int) plan.V {
		uses := make([]plan.V, len(args))
		for i := range args {
			uses[i] = args[i][0]
		}
		return s.Op(plan.Vec, func(d int, u []int) {
			ops := make([]operand.Op, 0, 4)
			for _, o := range order {
				ops = append(ops, m.vec(u[o]))
			}
			m.i(name, append(ops, m.vec(d))...)
		}, uses...)
	}
	isa := 0
	if m.wide {
		isa = 1
	}
	if name, ok := simple16[n.Op]; ok && n.Type == ir.I16 {
		return one(name, 1, 0)
	}
	if names, ok := simple[n.Op]; ok {
		if n.Op == ir.OpAdd || n.Op == ir.OpSub || n.Op == ir.OpMul {
			if p, ok := m.embedded(s, args[1][0]); ok {
				return s.Op(plan.Vec, func(d int, u []int) { m.i(names[isa]+"_BCST", p, m.vec(u[0]), m.vec(d)) }, args[0][0])
			}
		}
		if m.wide {
			return one(names[isa], 1, 0)
		}
		if a, ok := s.Operand(args[1][0]); ok {
			return s.Op(plan.Vec, func(d int, u []int) { m.i(names[isa], m.mem(a, 0), m.vec(u[0]), m.vec(d)) }, args[0][0])
		}
		if a, ok := s.Operand(args[0][0]); ok && commutes[n.Op] {
			return s.Op(plan.Vec, func(d int, u []int) { m.i(names[isa], m.mem(a, 0), m.vec(u[0]), m.vec(d)) }, args[1][0])
		}
		return one(names[isa], 1, 0)
	}
	switch n.Op {
	case ir.OpMax:
		return one("VMAXPS", 0, 1) // a NaN in the last source is kept
	case ir.OpMin:
		return one("VMINPS", 0, 1)
	case ir.OpMaximum, ir.OpMinimum:
		return m.nanAware(s, map[ir.Op]string{ir.OpMaximum: "VMAXPS", ir.OpMinimum: "VMINPS"}[n.Op], args[0][0], args[1][0])
	case ir.OpMulAdd:
		return m.fma(s, "VFMADD", args[0][0], args[1][0], args[2][0])
	case ir.OpMulSub:
		return m.fma(s, "VFMSUB", args[0][0], args[1][0], args[2][0])
	case ir.OpMulSubFrom:
		return m.fma(s, "VFNMADD", args[0][0], args[1][0], args[2][0])
	case ir.OpRound:
		return m.round(s, args[0][0], roundEven)
	case ir.OpSqrt:
		return one("VSQRTPS", 0)
	case ir.OpRoundElem:
		return m.roundElem(s, n, args[0][0])
	case ir.OpToInt:
		return one("VCVTPS2DQ", 0)
	case ir.OpToFloat:
		return one("VCVTDQ2PS", 0)
	case ir.OpWidenUpper:
		return m.widenUpper(s, n, args[0][0])
	case ir.OpWiden:
		return m.widen(s, n.Mem, slot, args)
	case ir.OpOrAnd:
		return m.orAnd(s, args[0][0], args[1][0], args[2][0])
	case ir.OpClip:
		if m.wide { // the smaller magnitude with the sign of the first
			return s.Op(plan.Vec, func(d int, u []int) { m.i("VRANGEPS", operand.Imm(0b0010), m.vec(u[1]), m.vec(u[0]), m.vec(d)) }, args[0][0], args[1][0])
		}
		return m.pack(s, "VPMINUD", args[2][0], args[1][0])
	case ir.OpShl, ir.OpShr:
		name := map[ir.Op]string{ir.OpShl: "VPSLLD", ir.OpShr: "VPSRLD"}[n.Op]
		if n.Type == ir.I8 {
			return m.wordsRight(s, args[0][0], int(n.Bits))
		}
		return s.Op(plan.Vec, func(d int, u []int) { m.i(name, operand.Imm(uint64(n.Bits)), m.vec(u[0]), m.vec(d)) }, args[0][0])
	case ir.OpInside: // with AVX2 as magnitudes
		return m.equal(s, "VPCMPEQD", args[0][0], args[len(args)-1][0])
	case ir.OpIEq:
		if n.Type == ir.Mask16 {
			return m.equal(s, "VPCMPEQW", args[0][0], args[1][0])
		}
		return m.equal(s, "VPCMPEQD", args[0][0], args[1][0])
	case ir.OpEq:
		return m.compare(s, 0, args[0][0], args[1][0])
	case ir.OpOrdered:
		return m.compare(s, 7, args[0][0], args[0][0])
	case ir.OpSelect:
		return m.choose(s, args[0][0], args[1][0], args[2][0])
	case ir.OpKeep:
		return s.Op(plan.Vec, func(d int, u []int) {
			if m.wide {
				m.i("VMOVAPS_Z", m.vec(u[1]), ks[u[0]], m.vec(d))
			} else {
				m.i("VANDPS", m.vec(u[1]), m.vec(u[0]), m.vec(d))
			}
		}, args[0][0], args[1][0])
	case ir.OpPass:
		return m.pass(s, args[0][0], args[1][0], args[2][0])
	case ir.OpNarrow16:
		return m.pack(s, "VPACKSSDW", args[0][0], args[0][1])
	case ir.OpHalves: // the word is brought to the top by its weights, and back
		_, bits := n.HalvesBits()
		return m.halves(s, args[0], args[1][0], bits)
	case ir.OpHalvesBy:
		return m.halves(s, args[0], args[1][0], 8)
	case ir.OpHalvesHigh:
		return m.halvesHigh(s, args[0], args[1][0])
	case ir.OpSigns: // saturation keeps them
		return m.pack(s, "VPACKSSDW", args[0][0], args[0][1])
	case ir.OpSigns8:
		return m.pack(s, "VPACKSSWB", args[0][0], args[0][1])
	case ir.OpNarrowS8:
		return m.permute(s, m.pack(s, "VPACKSSWB", args[0][0], args[0][1]), args[1][0])
	case ir.OpNarrowU8:
		return m.permute(s, m.pack(s, "VPACKUSWB", args[0][0], args[0][1]), args[1][0])
	case ir.OpShuffledU8:
		return m.pack(s, "VPACKUSWB", args[0][0], args[0][1])
	case ir.OpInOrder:
		return m.permute(s, args[0][0], args[1][0])
	case ir.OpBytes:
		return m.bytes(s, args)
	case ir.OpAlarmNaN:
		m.alarmNaN(s, args[0])
		return -1
	case ir.OpAlarmCode:
		m.alarmCode(s, args[0][0], args[1][0], at)
		return -1
	case ir.OpAlarmAbove:
		m.alarmAbove(s, args[0], args[1][0])
		return -1
	case ir.OpAlarmBelow:
		m.alarmBelow(s, args[0], args[1][0])
		return -1
	case ir.OpAlarmLow:
		m.alarmLow(s, args[0], args[1][0])
		return -1
	case ir.OpLoad:
		return m.load(s, n, slot, args, at)
	case ir.OpParam:
		if s.Lanes() {
			return m.load(s, n, slot, args, at)
		}
		return s.Op(plan.Vec, func(d int, _ []int) { m.i("VBROADCASTSS", m.mem(at, 0), m.vec(d)) })
	case ir.OpWord:
		return s.Op(plan.Vec, func(d int, _ []int) {
			p, err := m.ctx.Param(n.Name).Resolve()
			if err != nil {
				panic(err)
			}
			m.i("VBROADCASTSS", p.Addr, m.vec(d))
		})
	case ir.OpConst:
		return s.Op(plan.Vec, func(d int, _ []int) {
			if n.Bits == 0 {
				m.zero(d)
				return
			}
			b := n.Bits
			m.i("VBROADCASTSS", m.constant(string([]byte{byte(b), byte(b >> 8), byte(b >> 16), byte(b >> 24)})), m.vec(d))
		})
	case ir.OpTable:
		return s.Op(plan.Vec, func(d int, _ []int) { m.i("VMOVUPS", m.constant(n.Table), m.vec(d)) })
	case ir.OpByLayout:
		return m.byLayout(s, n)
	case ir.OpPlane:
		return m.plane(s, n, args[0][0])
	case ir.OpLookUp16:
		return m.number(s, n, slot, args)
	case ir.OpUppers:
		return s.Op(plan.Mask, func(d int, _ []int) {
			m.i("MOVL", operand.U32(0xaaaaaaaa), scratch.As32())
			m.i("KMOVD", scratch.As32(), ks[d])
		})
	case ir.OpStore:
		m.store(s, n, slot, args, at)
		return -1
	case ir.OpResult:
		v, short := args[0][0], n.Mem.Bits() == 16
		if short {
			v = m.upperHalves(s, v)
		}
		s.Add(plan.Inst{Uses: []plan.V{v}, Emit: func(_, u []int) {
			switch {
			case short && s.Results() > 1:
				m.i("VMOVUPS", m.narrow(u[0]), m.mem(at, 0))
			case short:
				m.i("VMOVD", xs[u[0]], scratch.As32())
				m.i("MOVW", scratch.As16(), m.mem(at, 0))
			case s.Results() > 1:
				m.i("VMOVUPS", m.vec(u[0]), m.mem(at, 0))
			default:
				m.i("VMOVSS", xs[u[0]], m.mem(at, 0))
			}
		}})
		return -1
	}
	panic(fmt.Sprintf("x86: no lowering for %s", n.Op))
}

// orAnd is a | b&c.
func (m *Machine) orAnd(s *plan.Seg, a, b, c plan.V) plan.V {
	if !m.wide {
		t := s.Op(plan.Vec, func(d int, u []int) { m.i("VPAND", m.vec(u[1]), m.vec(u[0]), m.vec(d)) }, b, c)
		return s.Op(plan.Vec, func(d int, u []int) { m.i("VPOR", m.vec(u[1]), m.vec(u[0]), m.vec(d)) }, a, t)
	}
	return s.Op(plan.Vec, func(d int, u []int) {
		// bit 4a+2b+c of the constant is the result where the destination is a
		a, b, c := u[0], u[1], u[2]
		switch d {
		case a:
			m.i("VPTERNLOGD", operand.U8(0xf8), m.vec(c), m.vec(b), m.vec(d))
		case b: // b takes the place of a
			m.i("VPTERNLOGD", operand.U8(0xec), m.vec(c), m.vec(a), m.vec(d))
		case c:
			m.i("VPTERNLOGD", operand.U8(0xec), m.vec(b), m.vec(a), m.vec(d))
		default:
			m.i("VMOVDQA64", m.vec(a), m.vec(d))
			m.i("VPTERNLOGD", operand.U8(0xf8), m.vec(c), m.vec(b), m.vec(d))
		}
	}, a, b, c)
}

func (m *Machine) zero(d int) {
	if m.wide {
		m.i("VPXORD", m.vec(d), m.vec(d), m.vec(d))
	} else {
		m.i("VXORPS", m.vec(d), m.vec(d), m.vec(d))
	}
}

// embedded is a parameter in memory as an operand of arithmetic. That is free,
// where the instruction that broadcasts one is a shuffle too on some machines.
func (m *Machine) embedded(s *plan.Seg, v plan.V) (operand.Op, bool) {
	a, ok := s.Param(v)
	if !ok || !m.wide {
		return nil, false
	}
	return m.mem(a, 0), true
}

// fma picks the form whose destination is an operand that dies, if one does.
func (m *Machine) fma(s *plan.Seg, name string, a, b, c plan.V) plan.V {
	if p, ok := m.embedded(s, b); ok {
		return s.Op(plan.Vec, func(d int, u []int) {
			a, c := u[1], u[0]
			if d == a && d != c {
				m.i(name+"132PS_BCST", p, m.vec(c), m.vec(d))
				return
			}
			if d != c {
				m.i("VMOVAPS", m.vec(c), m.vec(d))
			}
			m.i(name+"231PS_BCST", p, m.vec(a), m.vec(d))
		}, c, a)
	}
	return s.Op(plan.Vec, func(d int, u []int) {
		a, b, c := u[1], u[2], u[0]
		switch d {
		case c:
			m.i(name+"231PS", m.vec(b), m.vec(a), m.vec(d))
		case a:
			m.i(name+"213PS", m.vec(c), m.vec(b), m.vec(d))
		case b:
			m.i(name+"213PS", m.vec(c), m.vec(a), m.vec(d))
		default:
			m.i("VMOVAPS", m.vec(c), m.vec(d))
			m.i(name+"231PS", m.vec(b), m.vec(a), m.vec(d))
		}
	}, c, a, b)
}

func (m *Machine) round(s *plan.Seg, v plan.V, how uint64) plan.V {
	name := "VROUNDPS"
	if m.wide {
		name = "VRNDSCALEPS"
	}
	return s.Op(plan.Vec, func(d int, u []int) { m.i(name, operand.Imm(how), m.vec(u[0]), m.vec(d)) }, v)
}

func (m *Machine) compare(s *plan.Seg, predicate uint64, a, b plan.V) plan.V {
	return s.Op(m.MaskClass(), func(d int, u []int) {
		if m.wide {
			m.i("VCMPPS", operand.Imm(predicate), m.vec(u[1]), m.vec(u[0]), ks[d])
		} else {
			m.i("VCMPPS", operand.Imm(predicate), m.vec(u[1]), m.vec(u[0]), m.vec(d))
		}
	}, a, b)
}

// choose is mask ? a : b.
func (m *Machine) choose(s *plan.Seg, mask, a, b plan.V) plan.V {
	return s.Op(plan.Vec, func(d int, u []int) {
		if m.wide {
			m.i("VBLENDMPS", m.vec(u[1]), m.vec(u[2]), ks[u[0]], m.vec(d))
		} else {
			m.i("VBLENDVPS", m.vec(u[0]), m.vec(u[1]), m.vec(u[2]), m.vec(d))
		}
	}, mask, a, b)
}

// nanAware takes b from the instruction if that is a NaN, and mends a NaN in a.
func (m *Machine) nanAware(s *plan.Seg, name string, a, b plan.V) plan.V {
	t := s.Op(plan.Vec, func(d int, u []int) { m.i(name, m.vec(u[1]), m.vec(u[0]), m.vec(d)) }, a, b)
	return m.choose(s, m.compare(s, 7, a, a), t, a)
}

// pass is x where the mask is true, and its sign elsewhere.
func (m *Machine) pass(s *plan.Seg, mask, x, sign plan.V) plan.V {
	if m.wide {
		return s.OpApart(plan.Vec, func(d int, u []int) {
			m.i("VPANDD", m.vec(u[2]), m.vec(u[1]), m.vec(d))
			m.i("VMOVDQU16", m.vec(u[1]), ks[u[0]], m.vec(d))
		}, mask, x, sign)
	}
	return m.pack(s, "VPAND", m.pack(s, "VPOR", mask, sign), x)
}

func (m *Machine) pack(s *plan.Seg, name string, lo, hi plan.V) plan.V {
	return s.Op(plan.Vec, func(d int, u []int) { m.i(name, m.vec(u[1]), m.vec(u[0]), m.vec(d)) }, lo, hi)
}

// upperHalves are those of the lanes, in half a register.
func (m *Machine) upperHalves(s *plan.Seg, v plan.V) plan.V {
	return s.Op(plan.Vec, func(d int, u []int) { m.upper(d, u[0]) }, v)
}

func (m *Machine) upper(d, u int) {
	m.i("VPSRLD", operand.Imm(16), m.vec(u), m.vec(d))
	if m.wide {
		m.i("VPMOVDW", m.vec(d), half(d))
	} else {
		m.i("VPACKUSDW", m.vec(d), m.vec(d), m.vec(d))
		m.i("VPERMQ", operand.Imm(0x08), m.vec(d), m.vec(d))
	}
}

func (m *Machine) permute(s *plan.Seg, v, order plan.V) plan.V {
	return s.Op(plan.Vec, func(d int, u []int) { m.i("VPERMD", m.vec(u[0]), m.vec(u[1]), m.vec(d)) }, v, order)
}

// halves are those of two registers, weighted, and saturated to some bits.
func (m *Machine) halves(s *plan.Seg, v []plan.V, weights plan.V, bits int) plan.V {
	return m.wordsRight(s, m.halvesHigh(s, v, weights), 15-bits)
}

// halvesHigh are those before they are shifted right.
func (m *Machine) halvesHigh(s *plan.Seg, v []plan.V, weights plan.V) plan.V {
	sum := func(v plan.V) plan.V { return m.pack(s, "VPMADDWD", v, weights) }
	return m.pack(s, "VPACKSSDW", sum(v[0]), sum(v[1]))
}

// wordsRight shifts words right by c bits.
func (m *Machine) wordsRight(s *plan.Seg, v plan.V, c int) plan.V {
	return s.Op(plan.Vec, func(d int, u []int) { m.i("VPSRLW", operand.Imm(uint64(c)), m.vec(u[0]), m.vec(d)) }, v)
}

// gather64 joins a tile's four K registers, or two of a Mask16.
func (m *Machine) gather64(s *plan.Seg, k []plan.V) plan.V {
	join := func(name string, lo, hi plan.V) plan.V {
		return s.Op(plan.Mask, func(d int, u []int) { m.i(name, ks[u[0]], ks[u[1]], ks[d]) }, lo, hi)
	}
	if len(k) == 2 {
		return join("KUNPCKDQ", k[0], k[1])
	}
	lo := join("KUNPCKWD", k[0], k[1])
	return join("KUNPCKDQ", lo, join("KUNPCKWD", k[2], k[3]))
}

// signBytes packs a tile's lane masks (all ones or zeros) to bytes, not in order.
func (m *Machine) signBytes(s *plan.Seg, v []plan.V) plan.V {
	return m.pack(s, "VPACKSSWB", m.pack(s, "VPACKSSDW", v[0], v[1]), m.pack(s, "VPACKSSDW", v[2], v[3]))
}

func (m *Machine) bytes(s *plan.Seg, args [][]plan.V) plan.V {
	if m.wide {
		return s.Op(plan.Vec, func(d int, u []int) { m.i("VMOVDQU8_Z", m.vec(u[1]), ks[u[0]], m.vec(d)) }, m.gather64(s, args[0]), args[1][0])
	}
	return s.Op(plan.Vec, func(d int, u []int) { m.i("VPABSB", m.vec(u[0]), m.vec(d)) }, m.permute(s, m.signBytes(s, args[0]), args[1][0]))
}

// equal compares integers.
func (m *Machine) equal(s *plan.Seg, name string, a, b plan.V) plan.V {
	return s.Op(m.MaskClass(), func(d int, u []int) {
		if m.wide {
			m.i(name, m.vec(u[1]), m.vec(u[0]), ks[d])
		} else {
			m.i(name, m.vec(u[1]), m.vec(u[0]), m.vec(d))
		}
	}, a, b)
}

// alarm leaves for the rare way if a mask has a bit, with AVX-512 one of several.
func (m *Machine) alarm(s *plan.Seg, masks ...plan.V) {
	s.Add(plan.Inst{Uses: masks, Emit: func(_, u []int) {
		if m.wide {
			m.i("KORTESTQ", ks[u[0]], ks[u[len(u)-1]])
		} else {
			m.i("VPMOVMSKB", m.vec(u[0]), scratch.As32())
			m.i("TESTL", scratch.As32(), scratch.As32())
		}
		m.i("JNE", operand.LabelRef(s.RareLabel()))
	}})
}

// alarmNaN looks for NaN in a tile.
func (m *Machine) alarmNaN(s *plan.Seg, x []plan.V) {
	a, b := m.compare(s, 3, x[0], x[1]), m.compare(s, 3, x[2], x[3])
	if m.wide {
		m.alarm(s, a, b)
		return
	}
	m.alarm(s, m.pack(s, "VORPS", a, b))
}

// alarmAbove looks for words of a tile that are more than most.
func (m *Machine) alarmAbove(s *plan.Seg, x []plan.V, most plan.V) {
	m.alarm(s, m.above(s, m.pack(s, "VPMAXUW", x[0], x[1]), most))
}

// alarmBelow looks for numbers of a tile that are not at least least.
func (m *Machine) alarmBelow(s *plan.Seg, x []plan.V, least plan.V) {
	var below []plan.V
	for _, x := range x {
		below = append(below, m.compare(s, 0x19, x, least))
	}
	if m.wide {
		or := func(a, b plan.V) plan.V {
			return s.Op(plan.Mask, func(d int, u []int) { m.i("KORW", ks[u[1]], ks[u[0]], ks[d]) }, a, b)
		}
		m.alarm(s, or(below[0], below[1]), or(below[2], below[3]))
		return
	}
	m.alarm(s, m.pack(s, "VORPS", m.pack(s, "VORPS", below[0], below[1]), m.pack(s, "VORPS", below[2], below[3])))
}

// above is where words of a, less than 0x8000, are more than those of b.
func (m *Machine) above(s *plan.Seg, a, b plan.V) plan.V {
	if !m.wide {
		return m.pack(s, "VPCMPGTW", a, b)
	}
	return s.Op(plan.Mask, func(d int, u []int) { m.i("VPCMPUW", operand.Imm(6), m.vec(u[1]), m.vec(u[0]), ks[d]) }, a, b)
}

// alarmLow looks for the least int16: VCVTPS2DQ gives the least integer for NaN
// and for all that is beyond integers, and VPACKSSDW keeps it so.
func (m *Machine) alarmLow(s *plan.Seg, x []plan.V, least plan.V) {
	m.alarm(s, m.equal(s, "VPCMPEQW", m.pack(s, "VPMINSW", x[0], x[1]), least))
}

// alarmCode looks for the byte 0xff in a stream where or's bits are put in.
func (m *Machine) alarmCode(s *plan.Seg, or, ones plan.V, at plan.Addr) {
	masked := m.wide && s.Tail && !at.Stack
	b := s.OpApart(plan.Vec, func(d int, u []int) {
		if masked {
			m.i("VMOVDQU8_Z", m.mem(at, 0), m.lanes(0), m.vec(d))
			m.bitwise("VPOR", m.vec(u[0]), m.vec(d), m.vec(d))
		} else {
			m.bitwise("VPOR", m.mem(at, 0), m.vec(u[0]), m.vec(d))
		}
	}, or)
	m.alarm(s, m.equal(s, "VPCMPEQB", b, ones))
}
