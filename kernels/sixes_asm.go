package kernels

import (
	"encoding/binary"
	"unsafe"

	"github.com/lowbit-go/lowbit/internal/asm"
	"github.com/lowbit-go/lowbit/internal/codeformat"
)

// sixTile is how many codes the assembly packs and unpacks at a time, or a multiple of it.
const sixTile = 64

// sixes packs codes as they come.
type sixes struct {
	dst    []byte
	codes  [betweenBytes + 4]byte
	held   int  // codes that do not fill bytes yet
	floats bool // their signs are in the highest bit
}

// room is where the next codes are put.
func (s *sixes) room() []byte { return s.codes[s.held:] }

// add packs n codes that were put there.
func (s *sixes) add(impl isa, n int) {
	n += s.held
	whole := n &^ 3
	s.pack(impl, s.dst[:whole/4*3], s.codes[:whole])
	s.dst = s.dst[whole/4*3:]
	s.held = copy(s.codes[:], s.codes[whole:n])
}

// end packs what is left.
func (s *sixes) end(impl isa) { s.pack(impl, s.dst, s.codes[:s.held]) }

func (s *sixes) pack(impl isa, dst, src []byte) {
	low, high := int32(0x3f3f3f3f), int32(0)
	if s.floats {
		low, high = 0x1f1f1f1f, 0x20202020
	}
	if whole := len(src) &^ (sixTile - 1); whole > 0 {
		asm.PackSixes(impl, &dst[0], &src[0], low, high, whole)
		dst, src = dst[whole/4*3:], src[whole:]
	}
	if s.floats {
		signsDown(src)
	}
	portablePack(dst, src, Uint6)
}

// unpackSixesAsm is portableUnpack; of floats the signs go to the highest bit.
func unpackSixesAsm(impl isa, dst, src []byte, signed, floats bool) {
	f, sign, keep := Uint6, int32(0), int32(-1)
	switch {
	case floats:
		sign, keep = 0x20, -0x60606061 // in each byte 0x9f: the sign, which is extended, and the five bits below
	case signed:
		f, sign = Int6, 0x20
	}
	if whole := len(dst) &^ (sixTile - 1); whole > 0 {
		asm.UnpackSixes(impl, &dst[0], &src[0], sign, keep, whole)
		dst, src = dst[whole:], src[whole/4*3:]
	}
	portableUnpack(dst, src, f)
	if floats {
		signsUp(dst, dst)
	}
}

// quantizeIntSixes is quantizeIntAsm for packed codes of six bits.
func quantizeIntSixes[T Float](impl isa, dst []byte, src []T, g Grid, p *IntParams, f Format) {
	packer := sixes{dst: dst}
	st := formats[f].bytes.storage()
	var s spans
	s.visit(g, 0, g.Groups, betweenBytes, streaming{})
	for s.advance() {
		n := s.groups * s.length
		part := p.part(s.first, s.groups)
		to, x, g := unsafe.Pointer(&packer.room()[0]), src[s.off:][:n], Grid{1, s.groups, s.length}
		if asReference[T](p) {
			quantizeIntAsm(impl, st, to, x, g, &part)
		} else {
			quantizeIntBefore(impl, st, to, x, g, &part)
		}
		packer.add(impl, n)
	}
	packer.end(impl)
}

// The assembly writes a float code of six bits with its sign in the highest bit of
// the byte. signsDown makes codes of six bits of those.
func signsDown(codes []byte) {
	one := func(w uint64) uint64 { return w&0x1f1f1f1f1f1f1f1f | w>>2&0x2020202020202020 }
	for len(codes) >= 8 {
		binary.LittleEndian.PutUint64(codes, one(binary.LittleEndian.Uint64(codes)))
		codes = codes[8:]
	}
	for i, c := range codes {
		codes[i] = byte(one(uint64(c)))
	}
}

// signsUp is the inverse: the two highest bits of a code of six do not count.
func signsUp(dst, src []byte) {
	one := func(w uint64) uint64 { return w&0x1f1f1f1f1f1f1f1f | w<<2&0x8080808080808080 }
	for len(src) >= 8 {
		binary.LittleEndian.PutUint64(dst, one(binary.LittleEndian.Uint64(src)))
		dst, src = dst[8:], src[8:]
	}
	for i, c := range src {
		dst[i] = byte(one(uint64(c)))
	}
}

// sixesLen is the length of groups of packed floats for which there are kernels, with AVX-512 of two groups at
// a time or a multiple of that; sixesBytes is how many bytes such a group takes.
const sixesLen, sixesBytes = 32, sixesLen / 4 * 3

// onePass returns how many groups from the first on these kernels do.
func onePass[T Float](impl isa, g Grid, f Format) int {
	if impl == neon || unsafe.Sizeof(*new(T)) != 4 || !f.isPacked() || g.Rows != 1 || g.Len != sixesLen {
		return 0
	}
	if impl == avx2 {
		return g.Groups
	}
	return g.Groups &^ 1
}

// quantizeFloatSixes is quantizeFloatAsm for codes of six bits, packed or not.
func quantizeFloatSixes[T Float](impl isa, dst []byte, src []T, g Grid, p *FloatParams) {
	n := 0
	if p.Dialect != Reference {
		n = onePass[T](impl, g, p.Format)
		quantizeOnePass(impl, dst, src, p, n)
	}
	if n < g.Groups {
		part := p.part(n, g.Groups-n)
		quantizeFloatSixesInPieces(impl, dst[n*sixesBytes:], src[n*sixesLen:], Grid{g.Rows, g.Groups - n, g.Len}, &part)
	}
}

// quantizeOnePass quantizes n groups of sixesLen elements, which are float32.
func quantizeOnePass[T Float](impl isa, dst []byte, src []T, p *FloatParams, n int) {
	m := p.method()
	f := &m.format.float8
	var room [someGroups]float32
	step := len(room)
	if p.Factor != nil {
		step = mostElements / sixesLen
	}
	for base := 0; base < n; {
		factor := factors[T](p, &m, base, min(step, n-base), room[:])
		left := len(factor)
		asm.QuantizeSixes(impl, &dst[base*sixesBytes], (*float32)(unsafe.Pointer(&src[base*sixesLen])), &factor[0], f.least, f.ruler, f.weights, f.top, &left)
		base += len(factor) - left
		if left > 0 { // a NaN follows, in one group or in two
			count := min(left, 2)
			part := p.part(base, count)
			quantizeFloatSixesInPieces(impl, dst[base*sixesBytes:], src[base*sixesLen:], Grid{1, count, sixesLen}, &part)
			base += count
		}
	}
}

func quantizeFloatSixesInPieces[T Float](impl isa, dst []byte, src []T, g Grid, p *FloatParams) {
	packer := sixes{dst: dst, floats: true}
	f := p.Format
	if f.isPacked() {
		f = formats[f].bytes
	}
	var s spans
	s.visit(g, 0, g.Groups, betweenBytes, streaming{})
	var factor [someGroups]float32
	for s.advance() {
		for first := 0; first < s.groups; first += len(factor) { // groups may be short
			groups := min(len(factor), s.groups-first)
			at, n := s.off+first*s.length, groups*s.length
			codes := packer.room()[:n]
			if f == p.Format {
				codes = dst[at:][:n]
			}
			part := p.part(s.first+first, groups)
			part.Format = f
			sixesOf(impl, codes, src[at:][:n], Grid{1, groups, s.length}, &part, factor[:groups])
			if f != p.Format {
				packer.add(impl, n)
			} else {
				signsDown(codes)
			}
		}
	}
	if f != p.Format {
		packer.end(impl)
	}
}

// sixesOf quantizes adjacent groups to codes with a byte each, and their signs in the highest bit.
func sixesOf[T Float](impl isa, codes []byte, src []T, g Grid, p *FloatParams, factor []float32) {
	if p.Dialect == Reference {
		quantizeFloatAsm(impl, codes, src, g, p)
	} else { // those that multiply
		m := p.method()
		quantizeFloatGroups(impl, codes, src, g, p.Format, 0, nil, factors[T](p, &m, 0, len(factor), factor), streaming{})
	}
}

// dequantizeFloatSixes is dequantizeFloatAsm for codes of six bits, packed or not.
func dequantizeFloatSixes[T Float](impl isa, dst []T, src []byte, g Grid, p *FloatParams, times float32) {
	n := 0
	if unsafe.Sizeof(*new(T)) == 2 { // a constant: programs without tensors of 16 bits link no kernel for these
		if n = sixesAtOnce[T](impl, g, p, times); n > 0 {
			dequantizeSixesAtOnce(impl, dst, src, g.Len, p, times, n)
		}
	} else {
		n = onePass[T](impl, g, p.Format)
		dequantizeOnePass(impl, dst, src, p, times, n)
	}
	if n < g.Groups {
		part := p.part(n, g.Groups-n)
		dequantizeFloatSixesInPieces(impl, dst[n*g.Len:], src[n*g.Len/4*3:], Grid{g.Rows, g.Groups - n, g.Len}, &part, times)
	}
}

// dequantizeOnePass dequantizes n groups of sixesLen elements, which are float32. It reads a
// code as a float16, five bits behind the sign, and scales are times as large for that.
func dequantizeOnePass[T Float](impl isa, dst []T, src []byte, p *FloatParams, times float32, n int) {
	down, keep := sixesAsHalves(p.Format)
	var s spans
	s.visit(Grid{1, n, sixesLen}, 0, n, mostElements, streamingTo(impl, len(dst), p.Format.Bits(), unsafe.Pointer(&dst[0]), 32, NoMask))
	for n > 0 && s.advance() {
		asm.DequantizeSixes(impl, (*float32)(unsafe.Pointer(&dst[s.off])), &src[s.off/4*3], &p.Scale[s.first], down, keep, times, s.groups, s.ahead)
	}
}

// sixesAsHalves are the words by which a code of six bits is read as a float16.
func sixesAsHalves(f Format) (down, keep int32) {
	mantissa := 23 - formats[f].step>>23
	down, keep = int32(1<<(16-mantissa)), int32(0x8000|0x1f<<(10-mantissa))
	return down<<16 | down, keep<<16 | keep
}

// sixesAtOnce returns how many groups from the first on a kernel makes 16 bits of, which reads beyond them. Products with powers of two are bfloat16s.
func sixesAtOnce[T Float](impl isa, g Grid, p *FloatParams, times float32) int {
	if impl != avx2 || !p.Format.isPacked() || g.Rows != 1 || g.Len%16 != 0 {
		return 0
	}
	if elemOf[T]() == asm.BF16 && !exactPowers(p.Scale, times) {
		return 0
	}
	return g.Groups - 1
}

func dequantizeSixesAtOnce[T Float](impl isa, dst []T, src []byte, length int, p *FloatParams, times float32, n int) {
	down, keep := sixesAsHalves(p.Format)
	elem, place := 0, func(place int) int { return place }
	if elemOf[T]() == asm.BF16 {
		elem, place = 1, func(place int) int { return place%8*2 + place/8 }
	}
	order := codeformat.Order(6, place)
	var s spans
	s.visit(Grid{1, n, length}, 0, n, mostElements, streaming{})
	for s.advance() {
		asm.DequantizeSixes16(impl, (*uint16)(unsafe.Pointer(&dst[s.off])), &src[s.off/4*3], &p.Scale[s.first], elem, s.groups, s.length, &order[0], times, down, keep)
	}
}

// dequantizeFloatSixesInPieces reads a code whose sign is in the highest bit of a byte as that
// of eight bits with as many mantissa bits.
func dequantizeFloatSixesInPieces[T Float](impl isa, dst []T, src []byte, g Grid, p *FloatParams, times float32) {
	var codes [betweenBytes + 4]byte
	part := FloatParams{Format: p.Format}
	if p.Format.isPacked() {
		part.Format = formats[p.Format].bytes
	}
	var s spans
	s.visit(g, 0, g.Groups, betweenBytes, streaming{})
	for s.advance() {
		n, before := s.groups*s.length, 0
		if p.Format.isPacked() {
			before = s.off % 4
			unpackSixesAsm(impl, codes[:before+n], src[s.off/4*3:], false, true)
		} else {
			signsUp(codes[:n], src[s.off:][:n])
		}
		part.Scale = p.Scale[s.first:][:s.groups]
		dequantizeFloatAsm(impl, dst[s.off:][:n], codes[before:][:n], Grid{1, s.groups, s.length}, &part, times)
	}
}
