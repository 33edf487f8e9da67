package x86

import (
	"encoding/binary"
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

// ofOne maps operations to instructions of one operand.
var ofOne = map[ir.Op]string{ir.OpSqrt: "VSQRTPS", ir.OpToInt: "VCVTPS2DQ", ir.OpToFloat: "VCVTDQ2PS"}

// fused maps operations to the families of fused instructions.
var fused = map[ir.Op]string{ir.OpMulAdd: "VFMADD", ir.OpMulSub: "VFMSUB", ir.OpMulSubFrom: "VFNMADD"}

// orderedBy maps operations to instructions whose result is the last source where one is NaN.
var orderedBy = map[ir.Op]string{ir.OpMax: "VMAXPS", ir.OpMin: "VMINPS"}

// joins maps operations to the instruction that joins two registers; where these have an extra, that is the order to bring its parts into.
var joins = map[ir.Op]string{
	ir.OpNarrow16: "VPACKSSDW", ir.OpNarrowS8: "VPACKSSWB", ir.OpNarrowU8: "VPACKUSWB", ir.OpShuffledU8: "VPACKUSWB",
	ir.OpSigns: "VPACKSSDW", ir.OpSigns8: "VPACKSSWB", // saturation keeps the signs
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
	case ir.OpAlarmHalf: // of 2, and of the distance to 65504 that is as large downward
		return []*ir.Node{ir.Of(n).Int(-1 << 31), ir.Of(n).Int(2 * (0x477fe000 - 0x40000000))}
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
	for _, lower := range []func(*plan.Seg, *ir.Node, [][]plan.V) (plan.V, bool){m.lowerSimple, m.lowerNumbers, m.lowerCodes, m.lowerConstant} {
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
		return s.Op(plan.Vec, func(d int, _ []int) { m.i("VBROADCASTSS", m.mem(at, 0), m.vec(d)) })
	case ir.OpWiden:
		return m.widen(s, n.Mem, slot, args)
	case ir.OpLookUp16:
		return m.number(s, n, slot, args)
	case ir.OpStore:
		m.store(s, n, slot, args, at)
		return -1
	case ir.OpResult:
		m.result(s, n, args[0][0], at)
		return -1
	}
	panic(fmt.Sprintf("x86: no lowering for %s", n.Op))
}

// lowerSimple lowers what is an instruction of two operands, one of which may be in memory.
func (m *Machine) lowerSimple(s *plan.Seg, n *ir.Node, args [][]plan.V) (plan.V, bool) {
	if name, ok := simple16[n.Op]; ok && n.Type == ir.I16 {
		return m.binary(s, name, args[0][0], args[1][0]), true
	}
	names, ok := simple[n.Op]
	if !ok {
		return 0, false
	}
	name := names[0]
	if m.wide {
		name = names[1]
	}
	inMemory := func(a operand.Op, name string, other plan.V) plan.V {
		return s.Op(plan.Vec, func(d int, u []int) { m.i(name, a, m.vec(u[0]), m.vec(d)) }, other)
	}
	if n.Op == ir.OpAdd || n.Op == ir.OpSub || n.Op == ir.OpMul {
		if p, ok := m.embedded(s, args[1][0]); ok {
			return inMemory(p, name+"_BCST", args[0][0]), true
		}
	}
	if !m.wide {
		if a, ok := s.Operand(args[1][0]); ok {
			return inMemory(m.mem(a, 0), name, args[0][0]), true
		}
		if a, ok := s.Operand(args[0][0]); ok && commutes[n.Op] {
			return inMemory(m.mem(a, 0), name, args[1][0]), true
		}
	}
	return m.binary(s, name, args[0][0], args[1][0]), true
}

// lowerNumbers lowers other operations on numbers, and on masks of their lanes.
func (m *Machine) lowerNumbers(s *plan.Seg, n *ir.Node, args [][]plan.V) (plan.V, bool) {
	a := func(i int) plan.V { return args[i][0] }
	if name, ok := ofOne[n.Op]; ok {
		return m.unary(s, name, a(0)), true
	}
	if name, ok := fused[n.Op]; ok {
		return m.fma(s, name, a(0), a(1), a(2)), true
	}
	if name, ok := orderedBy[n.Op]; ok { // a NaN in the last source is kept
		return s.Op(plan.Vec, func(d int, u []int) { m.i(name, m.vec(u[0]), m.vec(u[1]), m.vec(d)) }, a(0), a(1)), true
	}
	switch n.Op {
	case ir.OpMaximum:
		return m.nanAware(s, "VMAXPS", a(0), a(1)), true
	case ir.OpMinimum:
		return m.nanAware(s, "VMINPS", a(0), a(1)), true
	case ir.OpRound:
		return m.round(s, a(0), roundEven), true
	case ir.OpRoundElem:
		return m.roundElem(s, n, a(0)), true
	case ir.OpOfHalf:
		return m.ofHalf(s, 3, a(0)), true
	case ir.OpWidenUpper:
		return m.widenUpper(s, n, a(0)), true
	case ir.OpOrAnd:
		return m.orAnd(s, a(0), a(1), a(2)), true
	case ir.OpClip:
		if m.wide { // the smaller magnitude with the sign of the first
			return s.Op(plan.Vec, func(d int, u []int) { m.i("VRANGEPS", operand.Imm(0b0010), m.vec(u[1]), m.vec(u[0]), m.vec(d)) }, a(0), a(1)), true
		}
		return m.binary(s, "VPMINUD", a(2), a(1)), true
	case ir.OpShl:
		return m.shift(s, "VPSLLD", a(0), n.Bits), true
	case ir.OpShr:
		if n.Type == ir.I8 {
			return m.wordsRight(s, a(0), int(n.Bits)), true
		}
		return m.shift(s, "VPSRLD", a(0), n.Bits), true
	case ir.OpInside: // with AVX2 as magnitudes
		return m.equal(s, "VPCMPEQD", a(0), a(len(args)-1)), true
	case ir.OpIEq:
		if n.Type == ir.Mask16 {
			return m.equal(s, "VPCMPEQW", a(0), a(1)), true
		}
		return m.equal(s, "VPCMPEQD", a(0), a(1)), true
	case ir.OpEq:
		return m.compare(s, 0, a(0), a(1)), true
	case ir.OpOrdered:
		return m.compare(s, 7, a(0), a(0)), true
	case ir.OpSelect, ir.OpOneNaN:
		return m.choose(s, a(0), a(1), a(2)), true
	case ir.OpKeep:
		return m.keep(s, a(0), a(1)), true
	case ir.OpPass:
		return m.pass(s, a(0), a(1), a(2)), true
	}
	return 0, false
}

// lowerCodes lowers what joins registers of lanes to fewer of words or bytes.
func (m *Machine) lowerCodes(s *plan.Seg, n *ir.Node, args [][]plan.V) (plan.V, bool) {
	if name, ok := joins[n.Op]; ok {
		joined := m.binary(s, name, args[0][0], args[0][1])
		if len(args) > 1 {
			joined = m.permute(s, joined, args[1][0])
		}
		return joined, true
	}
	switch n.Op {
	case ir.OpInOrder:
		return m.permute(s, args[0][0], args[1][0]), true
	case ir.OpHalves: // the word is brought to the top by its weights, and back
		_, bits := n.HalvesBits()
		return m.halves(s, args[0], args[1][0], bits), true
	case ir.OpHalvesBy:
		return m.halves(s, args[0], args[1][0], 8), true
	case ir.OpHalvesHigh:
		return m.halvesHigh(s, args[0], args[1][0]), true
	case ir.OpBytes:
		return m.bytes(s, args), true
	case ir.OpPlane:
		return m.plane(s, n, args[0][0]), true
	}
	return 0, false
}

// lowerConstant lowers what is the same for a call.
func (m *Machine) lowerConstant(s *plan.Seg, n *ir.Node, _ [][]plan.V) (plan.V, bool) {
	vec := func(emit func(d int)) (plan.V, bool) {
		return s.Op(plan.Vec, func(d int, _ []int) { emit(d) }), true
	}
	switch n.Op {
	case ir.OpWord:
		return vec(func(d int) {
			p, err := m.ctx.Param(n.Name).Resolve()
			if err != nil {
				panic(err)
			}
			m.i("VBROADCASTSS", p.Addr, m.vec(d))
		})
	case ir.OpConst:
		if n.Bits == 0 {
			return vec(m.zero)
		}
		return vec(func(d int) {
			m.i("VBROADCASTSS", m.constant(string(binary.LittleEndian.AppendUint32(nil, n.Bits))), m.vec(d))
		})
	case ir.OpTable:
		return vec(func(d int) { m.i("VMOVUPS", m.constant(n.Table), m.vec(d)) })
	case ir.OpByLayout:
		return m.byLayout(s, n), true
	case ir.OpUppers:
		return s.Op(plan.Mask, func(d int, _ []int) {
			m.i("MOVL", operand.U32(0xaaaaaaaa), scratch.As32())
			m.i("KMOVD", scratch.As32(), ks[d])
		}), true
	}
	return 0, false
}

// result stores what a group comes to: a number, or a register of them.
func (m *Machine) result(s *plan.Seg, n *ir.Node, v plan.V, at plan.Addr) {
	short := n.Mem.Bits() == 16
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

// keep is v where the mask is true, and zero elsewhere.
func (m *Machine) keep(s *plan.Seg, mask, v plan.V) plan.V {
	return s.Op(plan.Vec, func(d int, u []int) {
		if m.wide {
			m.i("VMOVAPS_Z", m.vec(u[1]), ks[u[0]], m.vec(d))
		} else {
			m.i("VANDPS", m.vec(u[1]), m.vec(u[0]), m.vec(d))
		}
	}, mask, v)
}

// pass is x where the mask is true, and its sign elsewhere.
func (m *Machine) pass(s *plan.Seg, mask, x, sign plan.V) plan.V {
	if m.wide {
		return s.OpApart(plan.Vec, func(d int, u []int) {
			m.i("VPANDD", m.vec(u[2]), m.vec(u[1]), m.vec(d))
			m.i("VMOVDQU16", m.vec(u[1]), ks[u[0]], m.vec(d))
		}, mask, x, sign)
	}
	return m.binary(s, "VPAND", m.binary(s, "VPOR", mask, sign), x)
}

// shift shifts lanes by a number of bits.
func (m *Machine) shift(s *plan.Seg, name string, v plan.V, bits uint32) plan.V {
	return s.Op(plan.Vec, func(d int, u []int) { m.i(name, operand.Imm(uint64(bits)), m.vec(u[0]), m.vec(d)) }, v)
}

func (m *Machine) unary(s *plan.Seg, name string, a plan.V) plan.V {
	return s.Op(plan.Vec, func(d int, u []int) { m.i(name, m.vec(u[0]), m.vec(d)) }, a)
}

func (m *Machine) binary(s *plan.Seg, name string, a, b plan.V) plan.V {
	if at, ok := s.Operand(b); ok && !m.wide {
		return s.Op(plan.Vec, func(d int, u []int) { m.i(name, m.mem(at, 0), m.vec(u[0]), m.vec(d)) }, a)
	}
	return s.Op(plan.Vec, func(d int, u []int) { m.i(name, m.vec(u[1]), m.vec(u[0]), m.vec(d)) }, a, b)
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
	sum := func(v plan.V) plan.V { return m.binary(s, "VPMADDWD", v, weights) }
	return m.binary(s, "VPACKSSDW", sum(v[0]), sum(v[1]))
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
	return m.binary(s, "VPACKSSWB", m.binary(s, "VPACKSSDW", v[0], v[1]), m.binary(s, "VPACKSSDW", v[2], v[3]))
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
