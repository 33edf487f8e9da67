package gguf

// quantizeK finds the parameters of all groups of a piece first, then writes its blocks.
func (f *fits) quantizeK(dst []byte, x []float32, t Type, im []float32) {
	weighed := im != nil
	w, length := &f.weighing, 16
	if t == Q4_K || t == Q5_K {
		length = 32
	}
	if weighed {
		switch t {
		case Q2_K:
			w.byMeans(x, im, length, 1)
		case Q6_K:
			w.kind, w.importance = byNothingElse, im
		default:
			w.byMeans(x, im, length, 2)
		}
	} else {
		switch t {
		case Q2_K:
			w.kind = byMagnitude
		case Q4_K, Q5_K:
			w.kind = byRoot
		case Q6_K:
			w.kind = bySquare
		}
	}
	plain, search := &searchQ4_K, &search4Weighed
	switch t {
	case Q2_K:
		plain, search = &searchQ2_K, &searchQ2_KWeighed
	case Q5_K:
		plain, search = &searchQ5_K, &search5Weighed
	}
	switch {
	case t == Q6_K:
		f.searchSymmetric(x, length, 32)
	case t == Q3_K && weighed:
		f.searchSymmetric(x, length, 4)
	case t == Q3_K:
		f.searchQuick(x)
	case weighed:
		f.searchRanged(search, x, length)
	default:
		f.searchRanged(plain, x, length)
	}
	switch t {
	case Q2_K:
		f.quantizeQ2_K(dst, x, weighed)
	case Q3_K:
		f.quantizeQ3_K(dst, x, weighed)
	case Q4_K, Q5_K:
		f.quantizeK45(dst, x, t, weighed)
	case Q6_K:
		f.quantizeQ6_K(dst, x)
	}
}

// firstRanged and firstSymmetric are the codes that the search has found for a group.
func (f *fits) firstRanged(codes []byte, x []float32, g int, n int32) { f.ranged(g).codes(codes, x, n) }

func (f *fits) firstSymmetric(codes []byte, x []float32, g int, n int32) {
	f.symmetric(g).codes(codes, x, n)
}

// quantizeK45 is Q4_K and Q5_K, which have groups of 32 with a scale and a least value of six bits each, in units of d and dmin.
func (f *fits) quantizeK45(dst []byte, x []float32, t Type, weighed bool) {
	const length = 32
	size, n := t.BlockBytes(), int32(15)
	if t == Q5_K {
		n = 31
	}
	if weighed {
		f.tryPositives(len(x)/256, 256/length, 63)
	}
	for i := range len(x) / 256 {
		f.levels45((*[16]byte)(dst[size*i:]), i, weighed, t == Q5_K)
	}
	f.leveler.offset(&f.found, x, length, n, f.firstRanged)
	for i := range len(x) / 256 {
		b, codes := dst[size*i:][:size], (*[256]byte)(f.leveler.codes[256*i:])
		if t == Q5_K {
			packTops((*[32]byte)(b[16:]), codes, 4)
		}
		packHalves((*[128]byte)(b[size-128:]), codes)
	}
}

// levels45 writes d, dmin, scales and minima of block i, and sets what its codes are found with.
func (f *fits) levels45(head *[16]byte, i int, weighed, five bool) {
	const most = 63
	var sl, ml [8]uint8
	var d, dmin uint16
	scales, least := (*[8]float32)(f.scale[8*i:]), (*[8]float32)(f.least[8*i:])
	packed := (*[12]byte)(head[4:])
	if weighed {
		sums := f.sums[8*i:][:8]
		d = toHalf(searchPositive(sl[:], scales[:], sums, most, f.positive[2*i]))
		dmin = toHalf(searchPositive(ml[:], least[:], sums, most, f.positive[2*i+1]))
		if five {
			for g := range sl {
				sl[g], ml[g] = min(sl[g], most), min(ml[g], most)
			}
		}
		packScales4(packed, &sl, &ml)
		sl, ml = unpackScales4(packed)
	} else {
		d, dmin = toSteps(sl[:], scales[:], most), toSteps(ml[:], least[:], most)
		packScales4(packed, &sl, &ml)
	}
	putHalf(head[:], d)
	putHalf(head[2:], dmin)
	unit, unitMin := fromHalf(d), fromHalf(dmin)
	to, offsets := (*[16]float32)(f.leveler.scales[16*i:]), (*[16]float32)(f.leveler.offsets[16*i:])
	for g := range sl {
		scale, offset := float32(unit*float32(sl[g])), float32(unitMin*float32(ml[g]))
		to[2*g], to[2*g+1], offsets[2*g], offsets[2*g+1] = scale, scale, offset, offset
	}
}

// quantizeQ2_K has groups of 16 with a scale and a least value of four bits each.
func (f *fits) quantizeQ2_K(dst []byte, x []float32, weighed bool) {
	const most, length, size = 15, 16, 84
	blocks := len(x) / 256
	if weighed {
		f.tryPositives(blocks, 256/length, most)
	} else {
		f.scaleSteps.find(&f.scale, blocks, 0, most)
		f.leastSteps.find(&f.least, blocks, 0, most)
	}
	for i := range blocks {
		var sl, ml [16]uint8
		var d, dmin uint16
		b, scales, least := (*[size]byte)(dst[size*i:]), (*[16]float32)(f.scale[16*i:]), (*[16]float32)(f.least[16*i:])
		if weighed {
			sums := f.sums[16*i:][:16]
			d = toHalf(searchPositive(sl[:], scales[:], sums, most, f.positive[2*i]))
			dmin = toHalf(searchPositive(ml[:], least[:], sums, most, f.positive[2*i+1]))
		} else {
			d, dmin = f.scaleSteps.toSteps2(&sl, i, scales), f.leastSteps.toSteps2(&ml, i, least)
		}
		putHalf(b[80:], d)
		putHalf(b[82:], dmin)
		unit, unitMin := fromHalf(d), fromHalf(dmin)
		to, offsets := (*[16]float32)(f.leveler.scales[16*i:]), (*[16]float32)(f.leveler.offsets[16*i:])
		for g := range sl {
			b[g] = sl[g] | ml[g]<<4
			to[g], offsets[g] = float32(unit*float32(b[g]&15)), float32(unitMin*float32(b[g]>>4))
		}
	}
	f.leveler.offset(&f.found, x, length, 3, f.firstRanged)
	for i := range len(x) / 256 {
		packPairs((*[64]byte)(dst[size*i+16:]), (*[256]byte)(f.leveler.codes[256*i:]))
	}
}

// quantizeQ3_K has groups of 16 with a scale of six bits and a sign.
func (f *fits) quantizeQ3_K(dst []byte, x []float32, weighed bool) {
	const n, length, size = 4, 16, 110
	blocks := len(x) / 256
	if weighed {
		f.searchScales(blocks)
	} else {
		f.scaleSteps.find(&f.scale, blocks, -32, 31)
	}
	for i := range blocks {
		var sl [16]uint8
		var d uint16
		b, scales := (*[size]byte)(dst[size*i:]), (*[16]float32)(f.scale[16*i:])
		if weighed {
			f.second[i].codes(sl[:], scales[:], 32)
			d = toHalf(f.second[i].scale)
		} else if f.scaleSteps.usual[i] {
			sl = f.scaleSteps.codes[i]
			d = toHalf(1 / (-32 / f.scaleSteps.largest[i]))
		} else if most := firstLargest(scales[:]); most != 0 {
			inverse := -32 / most
			for g, s := range scales {
				sl[g] = byte(max(min(int8(rounded(float32(inverse*s))), 31), -32) + 32)
			}
			d = toHalf(1 / inverse)
		}
		packScales3((*[12]byte)(b[96:]), &sl)
		putHalf(b[108:], d)
		unit, to := fromHalf(d), (*[16]float32)(f.leveler.scales[16*i:])
		for g, s := range sl {
			to[g] = float32(unit * float32(int(s)-32))
		}
	}
	first := func(codes []byte, x []float32, _ int, n int32) { searchQuick(codes, x, n) }
	if weighed {
		first = f.firstSymmetric
	}
	f.leveler.signed(&f.found, x, length, n, first)
	for i := range len(x) / 256 {
		b, codes := (*[size]byte)(dst[size*i:]), (*[256]byte)(f.leveler.codes[256*i:])
		packTops((*[32]byte)(b[:]), codes, 2)
		packPairs((*[64]byte)(b[32:]), codes)
	}
}

// quantizeQ6_K has groups of 16 with a scale of eight bits.
func (f *fits) quantizeQ6_K(dst []byte, x []float32) {
	const n, length, size = 32, 16, 210
	var zero [pieceLen / 256]bool
	steps := &f.scaleSteps
	steps.find(&f.scale, len(x)/256, -128, 127)
	for i := range len(x) / 256 {
		b, scales := (*[size]byte)(dst[size*i:]), (*[16]float32)(f.scale[16*i:])
		most := steps.largest[i]
		if !steps.usual[i] {
			most = firstLargest(scales[:])
		}
		if zero[i] = abs32(most) < tiny; zero[i] {
			clear(b[:])
			clear(f.leveler.scales[16*i:][:16])
			continue
		}
		inverse := -128 / most
		d := toHalf(1 / inverse)
		putHalf(b[208:], d)
		unit, to := fromHalf(d), (*[16]float32)(f.leveler.scales[16*i:])
		for g, s := range scales {
			step := int8(steps.codes[i][g] ^ 0x80)
			if !steps.usual[i] {
				step = int8(min(rounded(float32(inverse*s)), 127))
			}
			b[192+g] = byte(step)
			to[g] = float32(unit * float32(step))
		}
	}
	f.leveler.signed(&f.found, x, length, n, f.firstSymmetric)
	for i := range len(x) / 256 {
		if !zero[i] {
			pack6((*[192]byte)(dst[size*i:]), (*[256]byte)(f.leveler.codes[256*i:]))
		}
	}
}
