package gguf

import (
	"encoding/binary"
	"math"
)

// The portable way to take blocks apart: eight codes at a time, as the bytes of a word. It is the oracle of the kernels over blocks.

// unpack takes blocks apart. It returns the number of elements of a group.
func (u *unpacked) unpack(src []byte, t Type) (group int) {
	blocks := len(src) / t.BlockBytes()
	switch t {
	case Q8_0:
		u.unpackQ8_0(src, blocks)
	case Q4_0:
		u.unpackQ4_0(src, blocks)
	case Q4_1:
		u.unpackQ4_1(src, blocks)
	case Q5_0:
		u.unpackQ5_0(src, blocks)
	case Q5_1:
		u.unpackQ5_1(src, blocks)
	case MXFP4:
		u.unpackMXFP4(src, blocks)
	case NVFP4:
		u.unpackNVFP4(src, blocks)
	case IQ4_NL:
		u.unpackIQ4_NL(src, blocks)
	case IQ4_XS:
		u.unpackIQ4_XS(src, blocks)
	case Q2_K:
		u.unpackQ2_K(src, blocks)
	case Q3_K:
		u.unpackQ3_K(src, blocks)
	case Q4_K:
		u.unpackQ4_K(src, blocks)
	case Q5_K:
		u.unpackQ5_K(src, blocks)
	case Q6_K:
		u.unpackQ6_K(src, blocks)
	default:
		panic("gguf: " + t.String() + " is not supported")
	}
	switch t {
	case NVFP4, Q2_K, Q3_K, Q6_K:
		return 16
	}
	return 32
}

func (u *unpacked) unpackQ8_0(src []byte, blocks int) {
	for i := range blocks {
		b := (*[34]byte)(src[34*i:])
		u.scales[i] = getHalf(b[:])
		*(*[32]byte)(u.codes[32*i:]) = [32]byte(b[2:])
	}
}

func (u *unpacked) unpackQ4_0(src []byte, blocks int) {
	for i := range blocks {
		b := (*[18]byte)(src[18*i:])
		u.scales[i] = getHalf(b[:])
		codes := (*[32]byte)(u.codes[32*i:])
		for k := 0; k < 16; k += 8 {
			v := binary.LittleEndian.Uint64(b[2+k:])
			put8(codes[k:], less(v&nibbles, 8*ones))
			put8(codes[k+16:], less(v>>4&nibbles, 8*ones))
		}
	}
}

func (u *unpacked) unpackQ4_1(src []byte, blocks int) {
	for i := range blocks {
		b := (*[20]byte)(src[20*i:])
		u.scales[i], u.least[i] = getHalf(b[:]), getHalf(b[2:])
		codes := (*[32]byte)(u.codes[32*i:])
		for k := 0; k < 16; k += 8 {
			v := binary.LittleEndian.Uint64(b[4+k:])
			put8(codes[k:], v&nibbles)
			put8(codes[k+16:], v>>4&nibbles)
		}
	}
}

func (u *unpacked) unpackQ5_0(src []byte, blocks int) {
	for i := range blocks {
		b := (*[22]byte)(src[22*i:])
		u.scales[i] = getHalf(b[:])
		unpack5((*[32]byte)(u.codes[32*i:]), (*[20]byte)(b[2:]), 16*ones)
	}
}

func (u *unpacked) unpackQ5_1(src []byte, blocks int) {
	for i := range blocks {
		b := (*[24]byte)(src[24*i:])
		u.scales[i], u.least[i] = getHalf(b[:]), getHalf(b[2:])
		unpack5((*[32]byte)(u.codes[32*i:]), (*[20]byte)(b[4:]), 0)
	}
}

func (u *unpacked) unpackMXFP4(src []byte, blocks int) {
	for i := range blocks {
		b := (*[17]byte)(src[17*i:])
		u.scales[i] = powerOfTwo(b[0])
		lookUp((*[32]byte)(u.codes[32*i:]), (*[16]byte)(b[1:]), &fp4Eights)
	}
}

func (u *unpacked) unpackNVFP4(src []byte, blocks int) {
	for i := range blocks {
		b := (*[36]byte)(src[36*i:])
		for k := range 4 {
			u.scales[4*i+k] = ue4m3Halves[b[k]]
			codes, v := u.codes[64*i+16*k:], binary.LittleEndian.Uint64(b[4+8*k:])
			put8(codes, fp4Eights.values(v))
			put8(codes[8:], fp4Eights.values(v>>4))
		}
	}
}

func (u *unpacked) unpackIQ4_NL(src []byte, blocks int) {
	for i := range blocks {
		b := (*[18]byte)(src[18*i:])
		u.scales[i] = getHalf(b[:])
		lookUp((*[32]byte)(u.codes[32*i:]), (*[16]byte)(b[2:]), &iq4Eights)
	}
}

func (u *unpacked) unpackIQ4_XS(src []byte, blocks int) {
	for i := range blocks {
		b := (*[136]byte)(src[136*i:])
		d, high := getHalf(b[:]), binary.LittleEndian.Uint16(b[2:])
		for k := range 8 {
			scale := int(b[4+k/2]>>(4*(k%2))&15) | int(high>>(2*k)&3)<<4
			u.scales[8*i+k] = d * float32(scale-32)
			lookUp((*[32]byte)(u.codes[256*i+32*k:]), (*[16]byte)(b[8+16*k:]), &iq4Eights)
		}
	}
}

func (u *unpacked) unpackQ2_K(src []byte, blocks int) {
	for i := range blocks {
		b := (*[84]byte)(src[84*i:])
		d, dmin := getHalf(b[80:]), getHalf(b[82:])
		for k, sc := range b[:16] {
			u.scales[16*i+k], u.least[16*i+k] = d*float32(sc&15), -(dmin * float32(sc>>4))
		}
		unpackPairs((*[256]byte)(u.codes[256*i:]), (*[64]byte)(b[16:]))
	}
}

func (u *unpacked) unpackQ3_K(src []byte, blocks int) {
	for i := range blocks {
		b := (*[110]byte)(src[110*i:])
		d, scales := getHalf(b[108:]), unpackScales3((*[12]byte)(b[96:]))
		for k, sc := range scales {
			u.scales[16*i+k] = d * float32(int(sc)-32)
		}
		codes := (*[256]byte)(u.codes[256*i:])
		for k := 0; k < 32; k += 8 {
			missing := ^binary.LittleEndian.Uint64(b[k:]) // bits without which 4 is to be subtracted
			for h := range 2 {
				v := binary.LittleEndian.Uint64(b[32+32*h+k:])
				for s := range 4 {
					put8(codes[128*h+32*s+k:], less(v>>(2*s)&threes, missing&ones<<2))
					missing >>= 1
				}
			}
		}
	}
}

func (u *unpacked) unpackQ4_K(src []byte, blocks int) {
	for i := range blocks {
		b := (*[144]byte)(src[144*i:])
		u.scalesK(8*i, b[:16])
		unpackHalves((*[256]byte)(u.codes[256*i:]), (*[128]byte)(b[16:]))
	}
}

func (u *unpacked) unpackQ5_K(src []byte, blocks int) {
	for i := range blocks {
		b := (*[176]byte)(src[176*i:])
		u.scalesK(8*i, b[:16])
		codes := (*[256]byte)(u.codes[256*i:])
		for k := 0; k < 32; k += 8 {
			fifths := binary.LittleEndian.Uint64(b[16+k:])
			for h := range 4 {
				v := binary.LittleEndian.Uint64(b[48+32*h+k:])
				put8(codes[64*h+k:], v&nibbles|fifths&ones<<4)
				put8(codes[64*h+32+k:], v>>4&nibbles|fifths>>1&ones<<4)
				fifths >>= 2
			}
		}
	}
}

func (u *unpacked) unpackQ6_K(src []byte, blocks int) {
	for i := range blocks {
		b := (*[210]byte)(src[210*i:])
		d := getHalf(b[208:])
		for k, sc := range b[192:208] {
			u.scales[16*i+k] = d * float32(int8(sc))
		}
		for h := range 2 {
			codes := (*[128]byte)(u.codes[256*i+128*h:])
			for k := 0; k < 32; k += 8 {
				first, second := binary.LittleEndian.Uint64(b[64*h+k:]), binary.LittleEndian.Uint64(b[64*h+32+k:])
				high := binary.LittleEndian.Uint64(b[128+32*h+k:])
				put8(codes[k:], less(first&nibbles|high&threes<<4, 32*ones))
				put8(codes[32+k:], less(second&nibbles|high>>2&threes<<4, 32*ones))
				put8(codes[64+k:], less(first>>4&nibbles|high>>4&threes<<4, 32*ones))
				put8(codes[96+k:], less(second>>4&nibbles|high>>6&threes<<4, 32*ones))
			}
		}
	}
}

// Eight bytes in a word.
const (
	ones    = 0x0101010101010101
	threes  = 3 * ones
	nibbles = 15 * ones
	signs   = 128 * ones
)

// less subtracts each of eight bytes from another; all are below 128.
func less(v, k uint64) uint64 { return ((v | signs) - k) ^ signs }

func put8(codes []byte, v uint64) { binary.LittleEndian.PutUint64(codes, v) }

func getHalf(b []byte) float32 { return fromHalf(binary.LittleEndian.Uint16(b)) }

func putHalf(b []byte, h uint16) { binary.LittleEndian.PutUint16(b, h) }

// lookUp writes the values of a table whose indices are the low nibbles, then the high ones.
func lookUp(codes *[32]byte, b *[16]byte, table *eights) {
	for k := 0; k < 16; k += 8 {
		v := binary.LittleEndian.Uint64(b[k:])
		put8(codes[k:], table.values(v))
		put8(codes[k+16:], table.values(v>>4))
	}
}

// eights has the values of a table of sixteen bytes at each of the eight places of a word.
type eights [8][16]uint64

func newEights(values *[16]byte) (t eights) {
	for place := range t {
		for i, v := range values {
			t[place][i] = uint64(v) << (8 * place)
		}
	}
	return t
}

// values looks up the low nibbles of eight bytes.
func (t *eights) values(v uint64) uint64 {
	return t[0][v&15] | t[1][v>>8&15] | t[2][v>>16&15] | t[3][v>>24&15] | t[4][v>>32&15] | t[5][v>>40&15] | t[6][v>>48&15] | t[7][v>>56&15]
}

var fp4Eights, iq4Eights = newEights(&fp4Values), newEights(&iq4Values)

// spread has the bits of a number as bytes.
var spread = func() (t [256]uint64) {
	for i := range t {
		for k := range 8 {
			t[i] |= uint64(i>>k&1) << (8 * k)
		}
	}
	return t
}()

// unpack5 reads a word of fifth bits and the nibbles behind it.
func unpack5(codes *[32]byte, b *[20]byte, zero uint64) {
	for k := 0; k < 16; k += 8 {
		v := binary.LittleEndian.Uint64(b[4+k:])
		put8(codes[k:], less(v&nibbles|spread[b[k/8]]<<4, zero))
		put8(codes[k+16:], less(v>>4&nibbles|spread[b[k/8+2]]<<4, zero))
	}
}

// unpackPairs reads codes of two bits: of 32 bytes the lowest pairs, then the next, ...
func unpackPairs(codes *[256]byte, b *[64]byte) {
	for h := range 2 {
		for k := 0; k < 32; k += 8 {
			v := binary.LittleEndian.Uint64(b[32*h+k:])
			for s := range 4 {
				put8(codes[128*h+32*s+k:], v>>(2*s)&threes)
			}
		}
	}
}

// unpackHalves reads nibbles: of 32 bytes the low ones, then the high ones.
func unpackHalves(codes *[256]byte, b *[128]byte) {
	for h := range 4 {
		for k := 0; k < 32; k += 8 {
			v := binary.LittleEndian.Uint64(b[32*h+k:])
			put8(codes[64*h+k:], v&nibbles)
			put8(codes[64*h+32+k:], v>>4&nibbles)
		}
	}
}

// scalesK reads d, dmin and the scales and minima of six bits in the first 16 bytes of a block.
func (u *unpacked) scalesK(group int, b []byte) {
	d, dmin := getHalf(b), getHalf(b[2:])
	scales, least := unpackScales4((*[12]byte)(b[4:]))
	for k := range 8 {
		u.scales[group+k], u.least[group+k] = d*float32(scales[k]), -(dmin * float32(least[k]))
	}
}

// unpackScales4 reads the eight scales and minima of Q4_K and Q5_K.
func unpackScales4(b *[12]byte) (scales, least [8]uint8) {
	for k := range 4 {
		scales[k], least[k] = b[k]&63, b[k+4]&63
		scales[k+4], least[k+4] = b[k+8]&15|b[k]>>6<<4, b[k+8]>>4|b[k+4]>>6<<4
	}
	return scales, least
}

// unpackScales3 reads the sixteen scales of Q3_K.
func unpackScales3(b *[12]byte) (scales [16]uint8) {
	for k := range scales {
		low := b[k%8] >> (4 * (k / 8)) & 15
		scales[k] = low | b[8+k%4]>>(2*(k/4))&3<<4
	}
	return scales
}

// fp4Values are twice the values of e2m1; that of code 8 is not -0.
var fp4Values = twosComplement([16]int8{0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12})

// iq4Values are those of IQ4_NL and IQ4_XS.
var iq4Values = twosComplement([16]int8{-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113})

func twosComplement(values [16]int8) (t [16]byte) {
	for i, v := range values {
		t[i] = byte(v)
	}
	return t
}

// powerOfTwo is 2^(e-128), half of what the scale of MXFP4 stands for.
func powerOfTwo(e byte) float32 {
	if e < 2 {
		return math.Float32frombits(0x200000 << e)
	}
	return math.Float32frombits(uint32(e-1) << 23)
}

// ue4m3Halves are half of the values of e4m3 without a sign: the top bit does not matter, but that the code 0x7f, NaN elsewhere, is 0 and 0xff
// is 240.
var ue4m3Halves = func() (t [256]float32) {
	for i := range t {
		exponent, mantissa := i>>3&15, i&7
		switch {
		case i == 127:
		case exponent == 0:
			t[i] = float32(mantissa) * 0x1p-10
		default:
			t[i] = float32(8+mantissa) * math.Float32frombits(uint32(exponent+127-11)<<23)
		}
	}
	return t
}()
