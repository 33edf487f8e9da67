package x86

import (
	"encoding/binary"
	"math"

	"github.com/mmcloughlin/avo/operand"

	"github.com/lowbit-go/lowbit/gen/ir"
	"github.com/lowbit-go/lowbit/gen/plan"
)

// With VBMI the values of codes are looked up, a tile's at once: they are
// bfloat16s, and a table has their low bytes, another the high ones. In each
// 128-bit lane the even bytes of the codes' lower half are of the tile's first
// register, the odd ones of the second, and likewise in the upper half: then
// bytes that are joined to words are every second word of a register of float32.

// looksUp reports whether a load is done so.
func (m *Machine) looksUp(n *ir.Node) bool {
	switch n.Mem {
	case ir.MemListed, ir.MemE2M1, ir.MemU4:
		return m.vbmi && n.Type == ir.F32
	}
	return false
}

// tableExtras are what brings the codes where they belong, what is kept of the
// words of an odd register, and for codes of a byte four registers of tables and
// the sign's bit; for nibbles what brings them to the low bits of bytes, and two
// registers of tables.
func (m *Machine) tableExtras(n *ir.Node) []*ir.Node {
	k, whole := ir.Of(n), n.Mem.Bits() == 8
	var from, shift [64]byte
	for i := range 64 {
		lane, half, j, odd := i/16, i/8%2, i/2%4, i%2
		if whole {
			from[i] = byte(32*half + 16*odd + 4*lane + j)
			continue
		}
		// of 64 bits the first four bytes have two for an even register and two for an odd one
		from[i] = byte(16*half + 8*(i/2%2) + 2*lane + i%2)
		shift[i] = byte(16*odd + 4*j)
	}
	extras := []*ir.Node{table(k, from[:]), k.Int(-0x10000)}
	if whole {
		var low, high [128]byte
		for i := range low {
			low[i], high[i] = n.Table[2*i], n.Table[2*i+1]
		}
		if hasOneZero(n) {
			low[0], high[0] = n.Table[2*0x80], n.Table[2*0x80+1]
		}
		return append(extras, table(k, low[:64]), table(k, low[64:]), table(k, high[:64]), table(k, high[64:]), k.Int(-0x7f7f7f80))
	}
	extras = append(extras, table(k, shift[:]))
	list := func(value func(code int) float32) (low, high []byte) {
		for i := range 64 {
			b := math.Float32bits(value(i % 16))
			low, high = append(low, byte(b>>16)), append(high, byte(b>>24))
		}
		return low, high
	}
	if n.Mem == ir.MemE2M1 {
		low, high := list(func(code int) float32 { return e2m1[code] })
		return append(extras, table(k, low), table(k, high))
	}
	// the tables of unsigned codes, and what is changed of them if codes are signed
	ulow, uhigh := list(func(code int) float32 { return float32(code) })
	slow, shigh := list(func(code int) float32 { return float32(code ^ 8 - 8) })
	signed := k.Int(0).ISub(n.Args[0].Shr(3))
	choose := func(u, s []byte) *ir.Node {
		for i := range s {
			s[i] ^= u[i]
		}
		return table(k, u).Xor(table(k, s).And(signed))
	}
	return append(extras, choose(ulow, slow), choose(uhigh, shigh))
}

// table is a register of bytes.
func table(k *ir.Kernel, b []byte) *ir.Node {
	words := make([]uint32, len(b)/4)
	for i := range words {
		words[i] = uint32(b[4*i]) | uint32(b[4*i+1])<<8 | uint32(b[4*i+2])<<16 | uint32(b[4*i+3])<<24
	}
	return k.TableConst(words)
}

// littleEndian is words as they lie in memory.
func littleEndian(words []uint32) string {
	var b []byte
	for _, w := range words {
		b = binary.LittleEndian.AppendUint32(b, w)
	}
	return string(b)
}

// The parts of a load that several slots share.
const (
	lowerWords = iota
	upperWords
	wholeCodes
	lowBytes
	highBytes
	notZero
	upperCodes
)

// loadValues looks up the values of a slot's codes.
func (m *Machine) loadValues(s *plan.Seg, n *ir.Node, slot int, c [][]plan.V, at plan.Addr, masked bool) plan.V {
	at.Disp -= slot * m.Width() * n.Mem.Bits() / 8
	codes := func() plan.V {
		return s.Once(n, wholeCodes, func() plan.V { return m.codes(s, n, c, at, masked) })
	}
	words := s.Once(n, lowerWords+slot/2, func() plan.V {
		low := s.Once(n, lowBytes, func() plan.V { return m.listed(s, n, codes(), c, 0) })
		high := s.Once(n, highBytes, func() plan.V {
			v := m.listed(s, n, codes(), c, 1)
			if n.Mem == ir.MemListed && hasSigns(n) {
				v = m.orAnd(s, v, codes(), c[6][0])
			}
			return v
		})
		return m.binary(s, []string{"VPUNPCKLBW", "VPUNPCKHBW"}[slot/2], low, high)
	})
	if slot%2 == 0 {
		return s.Op(plan.Vec, func(d int, u []int) { m.i("VPSLLD", operand.Imm(16), m.vec(u[0]), m.vec(d)) }, words)
	}
	return s.Op(plan.Vec, func(d int, u []int) { m.i("VPANDD", m.vec(u[1]), m.vec(u[0]), m.vec(d)) }, words, c[1][0])
}

// codes loads a tile's codes to where they belong; nibbles have more above them.
func (m *Machine) codes(s *plan.Seg, n *ir.Node, c [][]plan.V, at plan.Addr, masked bool) plan.V {
	if n.Mem.Bits() == 8 {
		return s.OpApart(plan.Vec, func(d int, u []int) {
			if masked {
				m.i("VMOVDQU8_Z", m.mem(at, 0), m.lanes(0), m.vec(d))
				m.i("VPERMB", m.vec(d), m.vec(u[0]), m.vec(d))
			} else {
				m.i("VPERMB", m.mem(at, 0), m.vec(u[0]), m.vec(d))
			}
		}, c[0][0])
	}
	return s.OpApart(plan.Vec, func(d int, u []int) {
		if masked {
			m.bytesMask(2, 0)
			m.i("VMOVDQU8_Z", m.mem(at, 0), ks[7], m.vec(d))
		} else {
			m.i("VMOVUPS", m.mem(at, 0), half(d))
		}
		m.i("VPERMB", m.vec(d), m.vec(u[0]), m.vec(d))
		m.i("VPMULTISHIFTQB", m.vec(d), m.vec(u[1]), m.vec(d))
	}, c[0][0], c[2][0])
}

// listed looks up the low bytes of values, or the high ones.
func (m *Machine) listed(s *plan.Seg, n *ir.Node, codes plan.V, c [][]plan.V, high int) plan.V {
	if n.Mem != ir.MemListed {
		return s.Op(plan.Vec, func(d int, u []int) { m.i("VPERMB", m.vec(u[1]), m.vec(u[0]), m.vec(d)) }, codes, c[3+high][0])
	}
	uses := []plan.V{codes, c[2+2*high][0], c[3+2*high][0]}
	if hasOneZero(n) {
		uses = append(uses, s.Once(n, notZero, func() plan.V {
			return s.Op(plan.Mask, func(d int, u []int) { m.i("VPTESTMB", m.vec(u[0]), m.vec(u[0]), ks[d]) }, codes)
		}))
	}
	return m.ofTwo(s, uses...)
}

// ofTwo looks bytes up in two registers, by their low seven bits; codes, the
// registers, and, if what is not in it is to be 0, a mask.
func (m *Machine) ofTwo(s *plan.Seg, uses ...plan.V) plan.V {
	return s.OpTied(plan.Vec, func(d int, u []int) {
		if d != u[0] {
			m.i("VMOVDQA64", m.vec(u[0]), m.vec(d))
		}
		if len(u) == 4 {
			m.i("VPERMI2B_Z", m.vec(u[2]), m.vec(u[1]), ks[u[3]], m.vec(d))
		} else {
			m.i("VPERMI2B", m.vec(u[2]), m.vec(u[1]), m.vec(d))
		}
	}, uses...)
}

// hasOneZero reports whether a list has something else in the place of -0: that
// is in the tables for 0, and 0 is no code that is looked up.
func hasOneZero(n *ir.Node) bool { return n.Table[2*0x80+1]&0x7f != n.Table[1]&0x7f }

// hasSigns reports whether a list's second half is the first with the other sign.
func hasSigns(n *ir.Node) bool { return n.Table[2*0x81+1] != n.Table[2*0x01+1] }

// Numbers of 16 bits that an argument lists are looked up likewise: four
// registers have their low bytes, four the high ones, and codes choose between
// the first two and the last two by their highest bit.

// planes are these registers, and what brings the codes to where bytes that are
// joined to words within 128-bit lanes are in order.
func (m *Machine) planes(n *ir.Node) []*ir.Node {
	k := ir.Of(n)
	var planes []*ir.Node
	for i := range 8 {
		planes = append(planes, k.Plane(n.Name, i))
	}
	var from []uint32 // of 64 bits
	for i := range uint32(8) {
		from = append(from, i/2+4*(i%2), 0)
	}
	return append(planes, k.TableConst(from))
}

// everySecond are where two registers have the low bytes of words, or the high ones.
func (m *Machine) everySecond(n *ir.Node) *ir.Node {
	from := make([]byte, 64)
	for i := range from {
		from[i] = byte(2*i) + byte(n.Bits/4)
	}
	return table(ir.Of(n), from)
}

// plane loads 64 numbers and keeps their low bytes, or the high ones.
func (m *Machine) plane(s *plan.Seg, n *ir.Node, from plan.V) plan.V {
	return s.OpApart(plan.Vec, func(d int, u []int) {
		at := operand.Mem{Base: scratch, Disp: 128 * int(n.Bits%4)}
		m.ctx.Load(m.ctx.Param(n.Name), scratch)
		m.i("VMOVUPS", at, m.vec(d))
		m.i("VPERMT2B", at.Offset(64), m.vec(u[0]), m.vec(d))
	}, from)
}

// number looks up the numbers of a slot's codes.
func (m *Machine) number(s *plan.Seg, n *ir.Node, slot int, args [][]plan.V) plan.V {
	codes := s.Once(n, wholeCodes, func() plan.V {
		return s.Op(plan.Vec, func(d int, u []int) { m.i("VPERMQ", m.vec(u[0]), m.vec(u[1]), m.vec(d)) }, args[0][0], args[9][0])
	})
	upper := s.Once(n, upperCodes, func() plan.V {
		return s.Op(plan.Mask, func(d int, u []int) { m.i("VPMOVB2M", m.vec(u[0]), ks[d]) }, codes)
	})
	bytes := func(part, first int) plan.V {
		return s.Once(n, part, func() plan.V {
			lower, higher := m.ofTwo(s, codes, args[first][0], args[first+1][0]), m.ofTwo(s, codes, args[first+2][0], args[first+3][0])
			return s.Op(plan.Vec, func(d int, u []int) { m.i("VPBLENDMB", m.vec(u[1]), m.vec(u[2]), ks[u[0]], m.vec(d)) }, upper, higher, lower)
		})
	}
	return m.binary(s, []string{"VPUNPCKLBW", "VPUNPCKHBW"}[slot], bytes(lowBytes, 1), bytes(highBytes, 5))
}
