package kernels

import (
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/x448/float16"

	"github.com/lowbit-go/lowbit/bf16"
	"github.com/lowbit-go/lowbit/internal/codeformat"
)

// These tests hold the portable implementation against the formulas done in
// rational numbers, one element at a time.

func oracleTrials() int { return effort(500, 10_000, 300_000) }

func TestOracleInt(t *testing.T) {
	t.Run("f32", testOracleInt[float32])
	t.Run("f16", testOracleInt[float16.Float16])
	t.Run("bf16", testOracleInt[bf16.BFloat16])
}

func testOracleInt[T Float](t *testing.T) {
	r := newSource(4)
	g := Grid{1, 1, 1}
	for range oracleTrials() {
		p := signedRanges[r.IntN(len(signedRanges))]
		if r.IntN(2) == 0 {
			p = unsignedRanges[r.IntN(len(unsignedRanges))]
		}
		r.mood()
		scale, zero, minval := make([]float32, 1), make([]int32, 1), make([]float32, 1)
		r.scales(scale)
		r.zeroPoints(zero, p.Min, p.Max)
		r.minvals(minval, scale, p.Max-p.Min)
		s, qo, fo := scale[0], float32(0), float32(0)
		p.Scale = scale
		switch r.IntN(3) {
		case 1:
			p.ZeroPoint, qo = zero, float32(zero[0])
		case 2:
			p.Minval, qo, fo = minval, float32(p.Min), minval[0]
		}
		var x [1]T
		nearInts(r, x[:], g, &p)

		// The formula.
		quotient := exactAdd(exactRound(exactDiv(exactSub(value(x[0]), fo), s)), qo)
		q, inside := quotient, byte(0)
		switch {
		case quotient < float32(p.Min):
			q = float32(p.Min)
		case quotient > float32(p.Max):
			q = float32(p.Max)
		case quotient == quotient:
			inside = 1
		}
		code := 0
		if q == q {
			code = int(q)
		}
		dequantized := func(q float32) T { return exactRounded[T](exactAdd(exactMul(exactSub(q, qo), s), fo)) }

		what := func() string {
			return fmt.Sprintf("x=%x codes %d..%d scale=%x zero point %v minval %x", value(x[0]), p.Min, p.Max, s, p.ZeroPoint, p.Minval)
		}
		var y [1]T
		var mask, bit [1]byte
		portableFakeQuantizeInt(y[:], ByteMask(mask[:]), x[:], g, &p)
		same(t, what, y[0], dequantized(q))
		if mask[0] != inside {
			t.Fatalf("%s: mask %d, want %d", what(), mask[0], inside)
		}
		portableFakeQuantizeInt(y[:], BitMask(bit[:]), x[:], g, &p)
		if bit[0] != inside {
			t.Fatalf("%s: bit mask %d, want %d", what(), bit[0], inside)
		}
		var got int
		var c [1]byte
		if p.Min < 0 {
			portableQuantizeInt(c[:], x[:], g, &p, Int8)
			portableDequantizeInt(y[:], c[:], g, &p, Int8)
			got = int(int8(c[0]))
		} else {
			portableQuantizeInt(c[:], x[:], g, &p, Uint8)
			portableDequantizeInt(y[:], c[:], g, &p, Uint8)
			got = int(c[0])
		}
		if got != code {
			t.Fatalf("%s: code %d, want %d", what(), got, code)
		}
		same(t, what, y[0], dequantized(float32(code)))
	}
}

func TestOracleFloat(t *testing.T) {
	t.Run("f32", testOracleFloat[float32])
	t.Run("f16", testOracleFloat[float16.Float16])
	t.Run("bf16", testOracleFloat[bf16.BFloat16])
}

func testOracleFloat[T Float](t *testing.T) {
	r := newSource(5)
	g := Grid{1, 1, 1}
	for range oracleTrials() {
		f := floatFormats[r.IntN(len(floatFormats))]
		values := grids8[f]
		r.mood()
		scale := make([]float32, 1)
		r.scales(scale)
		s := scale[0]
		p := &FloatParams{Format: f, Scale: scale}
		var x [1]T
		nearFloats(r, x[:], g, p)

		// The formula.
		quotient := exactDiv(value(x[0]), s)
		most := values[len(values)-1]
		q, inside := quotient, byte(0)
		if math.Abs(float64(quotient)) <= most {
			inside = 1
		}
		code := 0
		if q == q {
			code = values.nearest(float64(quotient)) // which clamps
			q = float32(math.Copysign(values[code], float64(quotient)))
		}
		what := func() string { return fmt.Sprintf("%v: x=%x scale=%x", f, value(x[0]), s) }

		var y [1]T
		var mask, c [1]byte
		nan := formats[f].float.NaN
		portableFakeQuantizeFloat(y[:], ByteMask(mask[:]), x[:], g, p)
		same(t, what, y[0], exactRounded[T](exactMul(q, s)))
		if mask[0] != inside {
			t.Fatalf("%s: mask %d, want %d", what(), mask[0], inside)
		}

		portableQuantizeFloat(c[:], x[:], g, p)
		portableDequantizeFloat(y[:], c[:], g, p)
		if q != q && nan == codeformat.NoNaN {
			q = 0
		}
		same(t, what, y[0], exactRounded[T](exactMul(q, s)))
		if f == E2M1 { // told as E4M3FN
			code = grids8[E4M3FN].nearest(values[code])
		}
		sign := 1 << (formats[f].width - 1)
		if f == E2M1 {
			sign = 0x80
		}
		if math.Signbit(float64(q)) {
			code |= sign
		}
		switch {
		case q != q:
			if int(c[0]) != nan {
				t.Fatalf("%s: code %#x, want %#x", what(), c[0], nan)
			}
		case int(c[0]) != code:
			t.Fatalf("%s: code %#x, want %#x", what(), c[0], code)
		}
	}
}

// same fails unless two elements have the same bits.
func same[T Float](t *testing.T, what func() string, got, want T) {
	t.Helper()
	if bitsOf(got) != bitsOf(want) {
		t.Fatalf("%s: %x, want %x (%#x, want %#x)", what(), value(got), value(want), bitsOf(got), bitsOf(want))
	}
}

func TestOracleBackward(t *testing.T) {
	t.Run("f32", testOracleBackward[float32])
	t.Run("f16", testOracleBackward[float16.Float16])
	t.Run("bf16", testOracleBackward[bf16.BFloat16])
}

func testOracleBackward[T Float](t *testing.T) {
	r := newSource(6)
	r.wild = 0.5
	for range oracleTrials() {
		var dy, dx [1]T
		arbitrary(r, dy[:])
		mask := [1]byte{byte(r.IntN(2))}
		what := func() string { return fmt.Sprintf("dy=%x mask %d", value(dy[0]), mask[0]) }
		want := exactRounded[T](exactMul(value(dy[0]), float32(mask[0])))
		portableBackward(dx[:], dy[:], ByteMask(mask[:]))
		same(t, what, dx[0], want)
		portableBackward(dx[:], dy[:], BitMask(mask[:]))
		same(t, what, dx[0], want)
		portableBackward(dx[:], dy[:], NoMask)
		same(t, what, dx[0], exactRounded[T](value(dy[0])))
	}
}

func TestOracleMinMax(t *testing.T) {
	t.Run("f32", testOracleMinMax[float32])
	t.Run("f16", testOracleMinMax[float16.Float16])
	t.Run("bf16", testOracleMinMax[bf16.BFloat16])
}

func testOracleMinMax[T Float](t *testing.T) {
	for _, x := range [][]float32{{neg}, {0, neg}, {neg, 0}, {neg, neg, neg}} {
		for _, g := range []Grid{{1, 1, len(x)}, {len(x), 1, 1}} {
			var values []T
			for _, v := range x {
				values = append(values, rounded[T](v))
			}
			lo, hi := []T{1}, []T{1}
			portableMinMax(lo, hi, values, g)
			assert.Equal(t, [2]uint32{}, [2]uint32{bitsOf(lo[0]), bitsOf(hi[0])}, "%x", x)
		}
	}
	r := newSource(7)
	for range oracleTrials() / 10 {
		r.mood()
		g := Grid{1 + r.IntN(3), 1 + r.IntN(4), 1 + r.IntN(5)}
		if r.IntN(20) == 0 {
			g.Len = pieceLen + r.IntN(pieceLen)
		}
		x, lo, hi := make([]T, elements(g)), make([]T, g.Groups), make([]T, g.Groups)
		arbitrary(r, x)
		portableMinMax(lo, hi, x, g)
		for k := range g.Groups {
			least, most := math.Inf(1), math.Inf(-1)
			for row := range g.Rows {
				for i := range g.Len {
					v := float64(value(x[(row*g.Groups+k)*g.Len+i]))
					if v != v || least != least {
						least, most = math.NaN(), math.NaN()
						continue
					}
					if v < least {
						least = v
					}
					if v > most {
						most = v
					}
				}
			}
			what := func() string { return fmt.Sprintf("%+v %x", g, x) }
			same(t, what, lo[k], exactRounded[T](float32(least)+0))
			same(t, what, hi[k], exactRounded[T](float32(most)+0))
		}
	}
}

// Groups, rows, masks and packed codes are where they belong: a slice at once
// gives what its elements give one by one.
func TestOracleGrid(t *testing.T) {
	r := newSource(8)
	for i, g := range append(grids, Grid{2, 3, 300}) {
		if i%effort(20, 3, 1) > 0 {
			continue
		}
		n := elements(g)
		scale, x := make([]float32, g.Groups), make([]float32, n)
		r.wild, r.odd = 0.02, 0.2
		r.scales(scale)
		ints, floats := &IntParams{Min: -8, Max: 7, Scale: scale}, &FloatParams{Format: E2M1Packed, Scale: scale}
		nearInts(r, x, g, ints)
		y, yf, mask, bits := make([]float32, n), make([]float32, n), make([]byte, n), make([]byte, BitMaskLen(n))
		code, packed, back := make([]int8, n), make([]byte, E2M1Packed.Bytes(n)), make([]float32, n)
		fill(mask) // whatever was there before
		fill(bits)
		fill(packed)
		portableFakeQuantizeInt(y, ByteMask(mask), x, g, ints)
		portableFakeQuantizeFloat(yf, BitMask(bits), x, g, floats)
		portableQuantizeInt(bytesOf(code), x, g, ints, Int8)
		for _, f := range []Format{Int4, Uint2} {
			p := &IntParams{Scale: scale}
			p.Min, p.Max = f.Range()
			q, again := make([]byte, f.Bytes(n)), make([]float32, n)
			fill(q)
			portableQuantizeInt(q, x, g, p, f)
			portableDequantizeInt(again, q, g, p, f)
			c, b := make([]byte, n), make([]float32, n)
			whole := Uint8
			if f == Int4 {
				whole = Int8
			}
			portableQuantizeInt(c, x, g, p, whole)
			portableDequantizeInt(b, c, g, p, whole)
			assert.Negative(t, differ(f32, view4(again), view4(b)), "%+v", g)
			want := make([]byte, len(q))
			portablePack(want, c, f)
			assert.Equal(t, want, q)
		}
		portableQuantizeFloat(packed, x, g, floats)
		portableDequantizeFloat(back, packed, g, floats)
		one := Grid{1, 1, 1}
		for i := range x {
			k := i / g.Len % g.Groups
			what := func() string { return fmt.Sprintf("%+v, element %d", g, i) }
			ints.Scale, floats.Scale = scale[k:k+1], scale[k:k+1]
			var v [1]float32
			var m, q [1]byte
			var c [1]int8
			portableFakeQuantizeInt(v[:], ByteMask(m[:]), x[i:i+1], one, ints)
			same(t, what, y[i], v[0])
			if mask[i] != m[0] {
				t.Fatalf("%s: mask %d, want %d", what(), mask[i], m[0])
			}
			portableFakeQuantizeFloat(v[:], ByteMask(m[:]), x[i:i+1], one, floats)
			same(t, what, yf[i], v[0])
			if b := bits[i/8] >> (i % 8) & 1; b != m[0] {
				t.Fatalf("%s: bit mask %d, want %d", what(), b, m[0])
			}
			portableQuantizeInt(bytesOf(c[:]), x[i:i+1], one, ints, Int8)
			if code[i] != c[0] {
				t.Fatalf("%s: code %d, want %d", what(), code[i], c[0])
			}
			portableQuantizeFloat(q[:], x[i:i+1], one, floats)
			if b := packed[i/2] >> (4 * (i % 2)) & 15; b != q[0] {
				t.Fatalf("%s: nibble %#x, want %#x", what(), b, q[0])
			}
			portableDequantizeFloat(v[:], q[:], one, floats)
			same(t, what, back[i], v[0])
		}
		if n%8 > 0 && bits[n/8]>>(n%8) != 0 || n%2 > 0 && packed[n/2]>>4 != 0 {
			t.Fatalf("%+v: padding is not zero", g)
		}
	}
}

// Packed codes are where they belong.
func TestOraclePack(t *testing.T) {
	for _, f := range packedFormats {
		least, most := f.Range()
		bits := f.Bits()
		for n := range 100 {
			codes := make([]byte, n)
			for i := range codes {
				codes[i] = byte(least + i*5%(most-least+1)) // every code
			}
			packed := make([]byte, (n*bits+7)/8)
			portablePack(packed, codes, f)
			for i := range 8 * len(packed) { // a stream of bits
				want := 0
				if i/bits < n {
					want = int(codes[i/bits]) >> (i % bits) & 1
				}
				if got := int(packed[i/8]) >> (i % 8) & 1; got != want {
					t.Fatalf("%v, %d codes: bit %d is %d, want %d", f, n, i, got, want)
				}
			}
			back := make([]byte, n)
			portableUnpack(back, packed, f)
			assert.Equal(t, codes, back, "%v, %d codes", f, n)
		}
	}
}

// Every byte is unpacked, and every pair of bytes and every four codes packed, wherever they are in a register, as the portable code does.
func TestPackAll(t *testing.T) {
	forEachImplementation(t, func(t *testing.T) {
		for _, f := range packedFormats {
			for before := range perByte(f.Bits()) * 9 {
				packed := make([]byte, 256+before)
				for i := range packed {
					packed[i] = byte(i - before)
				}
				n := len(packed) * 8 / f.Bits()
				got, want := make([]byte, n), make([]byte, n)
				unpack(current(), got, packed, f)
				portableUnpack(want, packed, f)
				assert.Equal(t, want, got)
				again := make([]byte, f.Bytes(n))
				packed = packed[:len(again)]
				pack(current(), again, got, f)
				if rest := len(packed) * 8 % f.Bits(); rest > 0 {
					packed[len(packed)-1] &= 0xff >> rest // bits of no code
				}
				assert.Equal(t, packed, again)
			}
			pairs := make([]uint8, 0, 2<<16)
			for i := range 1 << 16 {
				pairs = append(pairs, byte(i), byte(i>>8))
			}
			got, want := make([]byte, f.Bytes(len(pairs))), make([]byte, f.Bytes(len(pairs)))
			pack(current(), got, pairs, f)
			portablePack(want, pairs, f)
			assert.Equal(t, want, got)
		}
	})
}

// All 65536 float16 and bfloat16 numbers, and the float32 numbers at and beside every tie.
func TestOracleTwoBytes(t *testing.T) {
	t.Run("f16", func(t *testing.T) { testOracleTwoBytes[float16.Float16](t, gridF16) })
	t.Run("bf16", func(t *testing.T) { testOracleTwoBytes[bf16.BFloat16](t, gridBF16) })
}

func testOracleTwoBytes[T Float](t *testing.T, g grid) {
	for code := range uint32(1 << 16) {
		x := fromBits[T](code)
		want := math.NaN()
		bits := code << 16 // of a NaN, which keeps its sign and payload
		if len(g) == len(gridF16) {
			bits = code>>15<<31 | 0x7fc00000 | code&0x3ff<<13
		}
		if i := int(code & 0x7fff); i < len(g) {
			if want = g[i]; i == len(g)-1 {
				want = math.Inf(1)
			}
			if code>>15 == 1 {
				want = -want
			}
		}
		what := func() string { return fmt.Sprintf("code %#x", code) }
		if want != want {
			same(t, what, value(x), math.Float32frombits(bits))
		} else {
			same(t, what, value(x), float32(want))
		}
		if want != want || math.IsInf(want, 0) {
			continue
		}
		tie := float32((want + math.Copysign(g[code&0x7fff+1], want)) / 2)
		for _, v := range []float32{value(x), neighbour(tie, -1), tie, neighbour(tie, 1)} {
			same(t, func() string { return fmt.Sprintf("%x", v) }, rounded[T](v), exactRounded[T](v))
		}
	}
	for _, bits := range []uint32{0x7fc00000, 0xffc12345, 0x7f800001, 0xffffffff} {
		same(t, func() string { return fmt.Sprintf("NaN %#x", bits) }, rounded[T](math.Float32frombits(bits)), exactRounded[T](nan))
	}
}
