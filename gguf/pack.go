package gguf

import "encoding/binary"

// pack4 packs codes below 16: one in the low nibble, the one 16 behind it in the high nibble. Of larger ones the high bits spill, as they do
// in ggml.
func pack4(b *[16]byte, codes *[32]byte) {
	for k := 0; k < 16; k += 8 {
		low, high := binary.LittleEndian.Uint64(codes[k:]), binary.LittleEndian.Uint64(codes[k+16:])
		binary.LittleEndian.PutUint64(b[k:], low|high&nibbles<<4)
	}
}

// pack5 packs codes below 32: bit 4 of each in a word, and the rest as pack4.
func pack5(b *[20]byte, codes *[32]byte) {
	for k := 0; k < 16; k += 8 {
		low, high := binary.LittleEndian.Uint64(codes[k:]), binary.LittleEndian.Uint64(codes[k+16:])
		b[k/8], b[2+k/8] = gather(low>>4&ones), gather(high>>4&ones)
		binary.LittleEndian.PutUint64(b[4+k:], low&nibbles|high&nibbles<<4)
	}
}

// gather makes one byte of eight that are 0 or 1.
func gather(v uint64) byte { return byte(v * 0x0102040810204080 >> 56) }

// packTops packs one bit of codes: that of element 32*j + k into bit j of byte k.
func packTops(b *[32]byte, codes *[256]byte, bit int) {
	mask, down, up := uint64(ones)<<(bit&7), bit&7, (4-bit)&7
	for k := 0; k < 32; k += 8 {
		top := func(j int) uint64 { return binary.LittleEndian.Uint64(codes[32*j+k:]) & mask }
		low := top(0) | top(1)<<1 | top(2)<<2 | top(3)<<3
		high := top(4) | top(5)<<1 | top(6)<<2 | top(7)<<3
		binary.LittleEndian.PutUint64(b[k:], low>>down|high<<up)
	}
}

// packScales4 writes eight scales and minima of six bits.
func packScales4(b *[12]byte, scales, least *[8]uint8) {
	for k := range 4 {
		b[k] = scales[k] | scales[k+4]>>4<<6
		b[k+4] = least[k] | least[k+4]>>4<<6
		b[k+8] = scales[k+4]&15 | least[k+4]<<4
	}
}

// packHalves packs nibbles: of 64 codes the first 32 low, the others high.
func packHalves(b *[128]byte, codes *[256]byte) {
	for h := range 4 {
		halves, c := (*[32]byte)(b[32*h:]), (*[64]byte)(codes[64*h:])
		for k := 0; k < 32; k += 8 {
			low, high := binary.LittleEndian.Uint64(c[k:]), binary.LittleEndian.Uint64(c[32+k:])
			binary.LittleEndian.PutUint64(halves[k:], low&nibbles|high&nibbles<<4)
		}
	}
}

// packPairs packs the low two bits of codes: of 128 the first 32 lowest, and so on.
func packPairs(b *[64]byte, codes *[256]byte) {
	for h := range 2 {
		pairs, c := (*[32]byte)(b[32*h:]), (*[128]byte)(codes[128*h:])
		for k := 0; k < 32; k += 8 {
			v0, v1 := binary.LittleEndian.Uint64(c[k:]), binary.LittleEndian.Uint64(c[32+k:])
			v2, v3 := binary.LittleEndian.Uint64(c[64+k:]), binary.LittleEndian.Uint64(c[96+k:])
			binary.LittleEndian.PutUint64(pairs[k:], v0&threes|v1&threes<<2|v2&threes<<4|v3&threes<<6)
		}
	}
}

// packScales3 writes sixteen scales of six bits: of each the low four, those of two in a byte, then the high two, those of four.
func packScales3(b *[12]byte, scales *[16]uint8) {
	low, high := binary.LittleEndian.Uint64(scales[:]), binary.LittleEndian.Uint64(scales[8:])
	binary.LittleEndian.PutUint64(b[:], low&nibbles|high&nibbles<<4)
	tops := low>>4&threes | high&(threes<<4)
	binary.LittleEndian.PutUint32(b[8:], uint32(tops)|uint32(tops>>32)<<2)
}

// pack6 packs codes of six bits: low ones as nibbles, high ones as pairs.
func pack6(b *[192]byte, codes *[256]byte) {
	for h := range 2 {
		low, high, c := (*[64]byte)(b[64*h:]), (*[32]byte)(b[128+32*h:]), (*[128]byte)(codes[128*h:])
		for k := 0; k < 32; k += 8 {
			v0, v1 := binary.LittleEndian.Uint64(c[k:]), binary.LittleEndian.Uint64(c[32+k:])
			v2, v3 := binary.LittleEndian.Uint64(c[64+k:]), binary.LittleEndian.Uint64(c[96+k:])
			binary.LittleEndian.PutUint64(low[k:], v0&nibbles|v2&nibbles<<4)
			binary.LittleEndian.PutUint64(low[32+k:], v1&nibbles|v3&nibbles<<4)
			binary.LittleEndian.PutUint64(high[k:], v0>>4&threes|v1>>4&threes<<2|v2>>4&threes<<4|v3>>4&threes<<6)
		}
	}
}
