package x86

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"

	"github.com/lowbit-go/lowbit/gen/ir"
	"github.com/lowbit-go/lowbit/gen/plan"
)

// e2m1 are the values of its codes.
var e2m1 = [16]float32{0, .5, 1, 1.5, 2, 3, 4, 6, float32(math.Copysign(0, -1)), -.5, -1, -1.5, -2, -3, -4, -6}

// Two-byte and smaller elements are converted as float16 is, by VCVTPH2PS: it
// takes subnormals at full speed, which a product does not.
func (m *Machine) loadExtras(n *ir.Node) []*ir.Node {
	k := ir.Of(n)
	if m.looksUp(n) {
		return m.tableExtras(n)
	}
	switch n.Mem {
	case ir.MemBF16, ir.MemNarrow:
		if !m.pairs(k) {
			return nil
		}
		return m.upperExtras(k)
	case ir.MemE4M3: // all but a copy of the sign
		return []*ir.Node{k.Int(-0x40004001)}
	case ir.MemE5M2: // bytes to the upper bytes of words, eight in 128 bits
		if !m.wide {
			return []*ir.Node{k.Int(0)}
		}
		words := make([]uint32, m.Width())
		for i := range words {
			words[i] = uint32(2*i%16+1)<<24 | 0x80<<16 | uint32(2*i%16)<<8 | 0x80
		}
		return []*ir.Node{k.TableConst(words)}
	case ir.MemSixes:
		return m.sixFloatExtras(k)
	case ir.MemE2M1:
		if !m.wide {
			return e2m1Extras(k)
		}
		return []*ir.Node{k.TableConst(m.eachLane(func(i int) int { return int(math.Float32bits(e2m1[i])) })), k.Int(bothNibbles)}
	case ir.MemU4, ir.MemU2:
		return []*ir.Node{k.Byte(1<<n.Mem.Bits() - 1)}
	case ir.MemCodes:
		return []*ir.Node{k.ByLayout(n.Kind, codeTable), k.ByLayout(n.Kind, codeSpread)}
	case ir.MemU6:
		return m.sixExtras(n)
	case ir.MemBits:
		if m.wide {
			return nil
		}
		if n.Type == ir.Mask16 {
			words := make([]uint32, 8)
			for i := range words {
				words[i] = 1<<(2*i) | 1<<(2*i+1+16)
			}
			return []*ir.Node{k.TableConst(words)}
		}
		var out []*ir.Node
		for slot := range 4 {
			words := make([]uint32, 8)
			for i := range words {
				words[i] = 1 << (8*slot + i)
			}
			out = append(out, k.TableConst(words))
		}
		return out
	}
	return nil
}

// upperExtras bring words to the upper halves of lanes.
func (m *Machine) upperExtras(k *ir.Kernel) []*ir.Node {
	var from [2][]uint32
	for i := range m.Width() {
		from[0] = append(from[0], uint32(i)<<16)
		from[1] = append(from[1], uint32(m.Width()+i)<<16)
	}
	return []*ir.Node{k.TableConst(from[0]), k.TableConst(from[1]), k.Uppers()}
}

func (m *Machine) widenExtras(n *ir.Node) []*ir.Node {
	if n.Mem == ir.MemBF16 {
		return m.upperExtras(ir.Of(n))
	}
	return nil
}

// widen widens half of the words of a register, with AVX-512.
func (m *Machine) widen(s *plan.Seg, mem ir.Mem, slot int, args [][]plan.V) plan.V {
	v, odd := args[0][0], slot%2
	if mem == ir.MemBF16 {
		return s.Op(plan.Vec, func(d int, u []int) { m.i("VPERMW_Z", m.vec(u[0]), m.vec(u[1]), ks[u[2]], m.vec(d)) }, v, args[1+odd][0], args[3][0])
	}
	return m.halfOf(s, odd, v)
}

// pairs reports whether two registers of a tile always lie together.
func (m *Machine) pairs(k *ir.Kernel) bool { return m.wide && !k.Folds() }

// load widens one slot of a stream to 32-bit lanes.
func (m *Machine) load(s *plan.Seg, n *ir.Node, slot int, args [][]plan.V, at plan.Addr) plan.V {
	masked := m.wide && s.Tail && !at.Stack
	if m.looksUp(n) {
		return m.loadValues(s, n, slot, args[len(n.Args):], at, masked)
	}
	switch n.Mem {
	case ir.MemF32, ir.MemI32:
		return m.loadPlain(s, n, "VMOVUPS_Z", slot, at, masked)
	case ir.MemI16:
		return m.loadPlain(s, n, "VMOVDQU16_Z", 2*slot, at, masked)
	case ir.MemByte:
		return m.loadPlain(s, n, "VMOVDQU8_Z", 0, at, masked)
	case ir.MemI8, ir.MemU8:
		return m.loadBytes(s, n, slot, at, masked)
	case ir.MemU16:
		return m.loadHalf(s, "VPMOVZXWD", slot, at, masked)
	case ir.MemF16:
		return m.loadHalf(s, "VCVTPH2PS", slot, at, masked)
	case ir.MemBF16:
		return m.loadBF16(s, slot, args, at, masked)
	case ir.MemNarrow:
		return m.loadNarrow(s, n, slot, args, at, masked)
	case ir.MemE4M3:
		return m.loadE4M3(s, n, slot, args, at, masked)
	case ir.MemE5M2:
		return m.loadE5M2(s, slot, args, at, masked)
	case ir.MemSixes:
		return m.loadSixFloats(s, n, slot, args, at)
	case ir.MemE2M1:
		return m.loadE2M1(s, n, slot, args, at, masked)
	case ir.MemU6:
		return m.loadSixes(s, args, at)
	case ir.MemU4:
		return m.spread(s, m.loadPacked(s, "VPMOVZXBW", 2, at, masked), args[0][0], 4)
	case ir.MemU2:
		return m.spread(s, m.loadPacked(s, "VPMOVZXBD", 4, at, masked), args[0][0], 6, 12)
	case ir.MemCodes:
		return m.loadCodes(s, n, slot, args, at, masked)
	case ir.MemBits:
		return m.loadBits(s, n, slot, args, at)
	}
	panic(fmt.Sprintf("x86: cannot load memory type %d", n.Mem))
}

// loadPlain loads what needs no widening; with a mask by the instruction of that name, from a lane on.
func (m *Machine) loadPlain(s *plan.Seg, n *ir.Node, name string, first int, at plan.Addr, masked bool) plan.V {
	return s.Op(plan.Vec, func(d int, _ []int) {
		switch {
		case masked && ir.Of(n).Folds():
			m.loadPart(n.Mem.Bits(), plan.Addr{Reg: at.Reg}, at, m.lanes(first), d)
		case masked:
			m.i(name, m.mem(at, 0), m.lanes(first), m.vec(d))
		default:
			m.i("VMOVUPS", m.mem(at, 0), m.vec(d))
		}
	})
}

// loadWidened loads a slot by the instruction that widens it, with a mask from a lane on.
func (m *Machine) loadWidened(s *plan.Seg, name string, first int, at plan.Addr, masked bool) plan.V {
	return s.Op(plan.Vec, func(d int, _ []int) {
		if masked {
			m.i(name+"_Z", m.mem(at, 0), m.lanes(first), m.vec(d))
		} else {
			m.i(name, m.mem(at, 0), m.vec(d))
		}
	})
}

// loadBytes widens integers of a byte to the node's type.
func (m *Machine) loadBytes(s *plan.Seg, n *ir.Node, slot int, at plan.Addr, masked bool) plan.V {
	if n.Type == ir.I16 {
		return m.loadWidened(s, "VPMOVZXBW", 2*slot, at, masked)
	}
	name := map[ir.Mem]string{ir.MemI8: "VPMOVSXBD", ir.MemU8: "VPMOVZXBD"}[n.Mem]
	v := m.loadWidened(s, name, slot, at, masked)
	if n.Type == ir.F32 {
		v = m.unary(s, "VCVTDQ2PS", v)
	}
	return v
}

// loadBF16 widens a slot, with AVX-512 where it can as one of two registers that 64 bytes are for.
func (m *Machine) loadBF16(s *plan.Seg, slot int, args [][]plan.V, at plan.Addr, masked bool) plan.V {
	if len(args) > 0 && !masked {
		odd := slot % 2
		at.Disp -= 2 * m.Width() * odd
		return s.Op(plan.Vec, func(d int, u []int) { m.i("VPERMW_Z", m.mem(at, 0), m.vec(u[0]), ks[u[1]], m.vec(d)) }, args[odd][0], args[2][0])
	}
	return m.shift(s, "VPSLLD", m.loadHalf(s, "VPMOVZXWD", slot, at, masked), 16)
}

// loadBits makes a mask of a slot's bits. With AVX2 every lane gets all bits, of a tile or for 16 bits of the slot, and looks at its own.
func (m *Machine) loadBits(s *plan.Seg, n *ir.Node, slot int, args [][]plan.V, at plan.Addr) plan.V {
	words := n.Type == ir.Mask16
	if m.wide {
		name := "KMOVW"
		if words {
			name = "KMOVD"
		}
		return s.Op(plan.Mask, func(d int, _ []int) { m.i(name, m.mem(at, 0), ks[d]) })
	}
	if words {
		all := s.Op(plan.Vec, func(d int, _ []int) { m.i("VPBROADCASTW", m.mem(at, 0), m.vec(d)) })
		return m.equal(s, "VPCMPEQW", m.binary(s, "VPAND", all, args[0][0]), args[0][0])
	}
	all := s.Once(n, 0, func() plan.V {
		at.Disp -= slot
		return s.Op(plan.Vec, func(d int, _ []int) { m.i("VPBROADCASTD", m.mem(at, 0), m.vec(d)) })
	})
	return m.equal(s, "VPCMPEQD", m.binary(s, "VPAND", all, args[slot][0]), args[slot][0])
}

// narrow is the register that holds a slot at 16 bits.
func (m *Machine) narrow(v int) reg.VecPhysical {
	if m.wide {
		return half(v)
	}
	return xs[v]
}

// loadHalf widens a slot of 16-bit elements by the instruction of that name.
func (m *Machine) loadHalf(s *plan.Seg, name string, slot int, at plan.Addr, masked bool) plan.V {
	return s.Op(plan.Vec, func(d int, _ []int) { m.widenHalf(name, slot, d, at, masked) })
}

func (m *Machine) widenHalf(name string, slot, d int, at plan.Addr, masked bool) {
	if masked {
		m.i("VMOVDQU16_Z", m.mem(at, 0), m.lanes(slot), half(d))
		m.i(name, half(d), m.vec(d))
		return
	}
	m.i(name, m.mem(at, 0), m.vec(d))
}

// loadE5M2 reads codes as the upper bytes of float16.
func (m *Machine) loadE5M2(s *plan.Seg, slot int, args [][]plan.V, at plan.Addr, masked bool) plan.V {
	return m.widenFloat16(s, s.OpApart(plan.Vec, func(d int, u []int) {
		switch {
		case masked:
			m.i("VPMOVZXBW_Z", m.mem(at, 0), m.lanes(slot), half(d))
			m.i("VPSLLW", operand.Imm(8), half(d), half(d))
			return
		case !m.wide: // half of sixteen
			name := []string{"VPUNPCKLBW", "VPUNPCKHBW"}[slot%2]
			m.i(name, m.mem(at, -8*(slot%2)), xs[u[0]], xs[d])
			return
		case d < 16:
			m.i("VBROADCASTI128", m.mem(at, 0), half(d))
		default:
			m.i("VBROADCASTI32X4", m.mem(at, 0), half(d))
		}
		m.i("VPSHUFB", half(u[0]), half(d), half(d))
	}, args[0][0]))
}

// loadE4M3 reads codes as float16 whose exponents are 8 less, those of two slots together.
func (m *Machine) loadE4M3(s *plan.Seg, n *ir.Node, slot int, args [][]plan.V, at plan.Addr, masked bool) plan.V {
	odd := slot % 2
	at.Disp -= m.Width() * odd
	return m.halfOf(s, odd, s.Once(n, slot/2, func() plan.V {
		return s.OpApart(plan.Vec, func(d int, u []int) {
			r := m.vec(d)
			if masked {
				m.i("VPMOVSXBW_Z", m.mem(at, 0), m.lanes(slot&^1), r)
			} else {
				m.i("VPMOVSXBW", m.mem(at, 0), r)
			}
			m.i("VPSLLW", operand.Imm(7), r, r)
			m.bitwise("VPAND", m.vec(u[0]), r, r)
		}, args[0][0])
	}))
}

// widenFloat16 widens a register of float16.
func (m *Machine) widenFloat16(s *plan.Seg, h plan.V) plan.V {
	return s.Op(plan.Vec, func(d int, u []int) { m.i("VCVTPH2PS", m.narrow(u[0]), m.vec(d)) }, h)
}

// halfOf widens one half of a register of float16.
func (m *Machine) halfOf(s *plan.Seg, upper int, h plan.V) plan.V {
	if upper == 1 {
		name := "VEXTRACTI128"
		if m.wide {
			name = "VEXTRACTI64X4"
		}
		h = s.Op(plan.Vec, func(d int, u []int) { m.i(name, operand.Imm(1), m.vec(u[0]), m.narrow(d)) }, h)
	}
	return m.widenFloat16(s, h)
}

// loadE2M1 looks nibbles up.
func (m *Machine) loadE2M1(s *plan.Seg, n *ir.Node, slot int, args [][]plan.V, at plan.Addr, masked bool) plan.V {
	if m.wide {
		return m.lookUp(s, m.nibbles(s, slot, args[1][0], at, masked), args[0][0])
	}
	pairs := m.loadE2M1Pairs(s, n, slot, args, at)
	if slot%2 == 0 {
		return s.Op(plan.Vec, func(d int, u []int) { m.i("VPSLLD", operand.Imm(16), m.vec(u[0]), m.vec(d)) }, pairs)
	}
	return s.Op(plan.Vec, func(d int, u []int) { m.i("VPAND", m.vec(u[1]), m.vec(u[0]), m.vec(d)) }, pairs, args[e2m1Uppers][0])
}

// What e2m1Extras are.
const (
	e2m1Order  = iota // of the bytes that hold a tile's codes, in each half four times
	e2m1Kept          // of a byte
	e2m1Lower         // the lower bytes of the values as bfloat16
	e2m1Upper         // the upper ones
	e2m1Uppers        // what is kept of a lane's upper word
)

// e2m1Extras are for a tile with AVX2, which has its numbers as bfloat16: those of two slots in the words of each lane. So a code becomes a byte, a byte two
// of the number, and both are shifted but once. To look a lane's number up takes a shuffle across the register for each, and two shifts.
func e2m1Extras(k *ir.Kernel) []*ir.Node {
	var order, lower, upper [32]byte
	for i := range order {
		lane, slot := i/16*4+i/2%4, i%2+i%16/8*2
		order[i] = byte(4*slot + lane/2)
		b := math.Float32bits(e2m1[i%16])
		lower[i], upper[i] = byte(b>>16), byte(b>>24)
	}
	bytes := func(b [32]byte) *ir.Node {
		words := make([]uint32, 8)
		for i := range words {
			words[i] = binary.LittleEndian.Uint32(b[4*i:])
		}
		return k.TableConst(words)
	}
	return []*ir.Node{bytes(order), k.Byte(15), bytes(lower), bytes(upper), k.Int(-1 << 16)}
}

// loadE2M1Pairs reads a tile, and returns the register that has a slot's numbers and its neighbour's.
func (m *Machine) loadE2M1Pairs(s *plan.Seg, n *ir.Node, slot int, args [][]plan.V, at plan.Addr) plan.V {
	const codes, lower, upper, pairs = 0, 1, 2, 3
	look := func(part, table int) plan.V {
		return s.Once(n, part, func() plan.V {
			return s.Op(plan.Vec, func(d int, u []int) { m.i("VPSHUFB", m.vec(u[0]), m.vec(u[1]), m.vec(d)) }, s.Once(n, codes, func() plan.V {
				at.Disp -= 4 * slot
				v := s.New(plan.Vec)
				s.Add(plan.Inst{Defs: []plan.V{v, s.New(plan.Vec)}, Uses: []plan.V{args[e2m1Order][0], args[e2m1Kept][0]}, Apart: true, Emit: func(d, u []int) {
					r, odd := m.vec(d[0]), m.vec(d[1])
					m.i("VBROADCASTI128", m.mem(at, 0), r)
					m.i("VPSHUFB", m.vec(u[0]), r, r)
					m.i("VPSRLW", operand.Imm(4), r, odd)
					m.i("VPBLENDW", operand.Imm(0xaa), odd, r, r)
					m.i("VPAND", m.vec(u[1]), r, r)
				}})
				return v
			}), args[table][0])
		})
	}
	return s.Once(n, pairs+slot/2, func() plan.V {
		name := []string{"VPUNPCKLBW", "VPUNPCKHBW"}[slot/2]
		return s.Op(plan.Vec, func(d int, u []int) { m.i(name, m.vec(u[1]), m.vec(u[0]), m.vec(d)) }, look(lower, e2m1Lower), look(upper, e2m1Upper))
	})
}

// lookUp gives each lane the table's number that the lane's low bits say.
func (m *Machine) lookUp(s *plan.Seg, index, table plan.V) plan.V {
	return s.Op(plan.Vec, func(d int, u []int) { m.i("VPERMPS", m.vec(u[1]), m.vec(u[0]), m.vec(d)) }, index, table)
}

// nibbles spreads a slot's nibbles over the low bits of its lanes. There is more above them.
func (m *Machine) nibbles(s *plan.Seg, slot int, factor plan.V, at plan.Addr, masked bool) plan.V {
	b := s.Op(plan.Vec, func(d int, _ []int) {
		if masked {
			m.bytesMask(2, 8*slot)
			m.i("VPMOVZXBQ_Z", m.mem(at, 0), ks[7], m.vec(d))
		} else {
			m.i("VPMOVZXBQ", m.mem(at, 0), m.vec(d))
		}
	})
	return s.Op(plan.Vec, func(d int, u []int) { m.i("VPMULUDQ", m.vec(u[1]), m.vec(u[0]), m.vec(d)) }, b, factor)
}

// loadPacked loads the bytes of a tile's codes, so many to a byte, each to as many bytes.
func (m *Machine) loadPacked(s *plan.Seg, name string, toByte int, at plan.Addr, masked bool) plan.V {
	return s.Op(plan.Vec, func(d int, _ []int) {
		if masked {
			m.bytesMask(toByte, 0)
			m.i(name+"_Z", m.mem(at, 0), ks[7], m.vec(d))
		} else {
			m.i(name, m.mem(at, 0), m.vec(d))
		}
	})
}

// spread gives codes that lie together the bytes above them: shifts bring each to its own, and the mask keeps it.
func (m *Machine) spread(s *plan.Seg, v, mask plan.V, shifts ...uint64) plan.V {
	for i, shift := range shifts {
		last := i == len(shifts)-1
		v = s.OpApart(plan.Vec, func(d int, u []int) {
			v, mask, r := m.vec(u[0]), m.vec(u[1]), m.vec(d)
			m.i("VPSLLD", operand.Imm(shift), v, r)
			switch {
			case last && m.wide: // (r | v) & mask
				m.i("VPTERNLOGD", operand.U8(0xa8), mask, v, r)
			case last:
				m.i("VPOR", v, r, r)
				m.i("VPAND", mask, r, r)
			case m.wide:
				m.i("VPORD", v, r, r)
			default:
				m.i("VPOR", v, r, r)
			}
		}, v, mask)
	}
	return v
}

// bytesMask puts a bit for each byte of a tail's codes into K7, from a byte on.
func (m *Machine) bytesMask(toByte, first int) {
	m.tailSlot = -1
	m.i("LEAQ", operand.Mem{Base: gprs[m.tailN], Disp: toByte - 1}, scratch2)
	m.i("SHRQ", operand.Imm(uint64(log2(toByte))), scratch2)
	m.i("MOVQ", operand.I32(-1), scratch)
	m.i("BZHIQ", scratch2, scratch, scratch)
	m.i("KMOVQ", scratch, ks[7])
	if first > 0 {
		m.i("KSHIFTRQ", operand.Imm(uint64(first)), ks[7], ks[7])
	}
}
