package asm

// Arithmetic on float32, rounded to nearest even.

// FADD is d = n + m.
func (p *Printer) FADD(d, n, m V) { p.three(0x4e20d400, "fadd", S, d, n, m) }

// FSUB is d = n - m.
func (p *Printer) FSUB(d, n, m V) { p.three(0x4ea0d400, "fsub", S, d, n, m) }

// FMUL is d = n * m.
func (p *Printer) FMUL(d, n, m V) { p.three(0x6e20dc00, "fmul", S, d, n, m) }

// FDIV is d = n / m.
func (p *Printer) FDIV(d, n, m V) { p.three(0x6e20fc00, "fdiv", S, d, n, m) }

// FNEG is d = -n.
func (p *Printer) FNEG(d, n V) { p.same(0x6ea0f800, "fneg", d, n) }

// FMLA is d += n * m, rounded once.
func (p *Printer) FMLA(d, n, m V) { p.full("VFMLA", S, d, n, m) }

// FMLS is d -= n * m, rounded once.
func (p *Printer) FMLS(d, n, m V) { p.full("VFMLS", S, d, n, m) }

// FSQRT is the square root of n.
func (p *Printer) FSQRT(d, n V) { p.same(0x6ea1f800, "fsqrt", d, n) }

// FABS is d = |n|.
func (p *Printer) FABS(d, n V) { p.same(0x4ea0f800, "fabs", d, n) }

// FRINTN is d = n rounded to an integer, half to even.
func (p *Printer) FRINTN(d, n V) { p.same(0x4e218800, "frintn", d, n) }

// Maxima and minima order -0 below +0; a NaN stays one.

// FMAX is d = max(n, m), NaN if either is.
func (p *Printer) FMAX(d, n, m V) { p.three(0x4e20f400, "fmax", S, d, n, m) }

// FMIN is d = min(n, m), NaN if either is.
func (p *Printer) FMIN(d, n, m V) { p.three(0x4ea0f400, "fmin", S, d, n, m) }

// FMAXNM is d = max(n, m), the number if one of them is a quiet NaN, and n if both are.
func (p *Printer) FMAXNM(d, n, m V) { p.three(0x4e20c400, "fmaxnm", S, d, n, m) }

// FMAXP is d = the maxima of neighbouring elements of n, then of m, NaN if either is.
func (p *Printer) FMAXP(d, n, m V) { p.three(0x6e20f400, "fmaxp", S, d, n, m) }

// FMINP is d = the minima of neighbouring elements of n, then of m, NaN if either is.
func (p *Printer) FMINP(d, n, m V) { p.three(0x6ea0f400, "fminp", S, d, n, m) }

// FMAXV has in lane 0 of d the largest element of n, NaN if one is; the rest of d is 0.
func (p *Printer) FMAXV(d, n V) { p.word(0x6e30f800|n.bits()<<5|d.bits(), "fmaxv s%d, v%d.4s", d, n) }

// FCMP compares lane 0 of d with lane 0 of n, for a branch.
func (p *Printer) FCMP(d, n V) { p.op("FCMPS", n.float(), d.float()) }

// FCMEQ is d = all ones where n == m, else 0; with a NaN it does not hold.
func (p *Printer) FCMEQ(d, n, m V) { p.three(0x4e20e400, "fcmeq", S, d, n, m) }

// FCMGT is d = all ones where n > m, else 0.
func (p *Printer) FCMGT(d, n, m V) { p.three(0x6ea0e400, "fcmgt", S, d, n, m) }

// FCMGE is d = all ones where n >= m, else 0.
func (p *Printer) FCMGE(d, n, m V) { p.three(0x6e20e400, "fcmge", S, d, n, m) }

// FCVTZS is d = int32(n), toward zero, saturating; NaN gives 0.
func (p *Printer) FCVTZS(d, n V) { p.same(0x4ea1b800, "fcvtzs", d, n) }

// FCVTNS is d = int32(n), rounded half to even, saturating; NaN gives 0.
func (p *Printer) FCVTNS(d, n V) { p.same(0x4e21a800, "fcvtns", d, n) }

// SCVTF is d = float32(n), n int32.
func (p *Printer) SCVTF(d, n V) { p.same(0x4e21d800, "scvtf", d, n) }

// FCVTN has in the lower half of d the elements of n as float16; the upper half is 0.
func (p *Printer) FCVTN(d, n V) { p.two(0x0e216800, "fcvtn", "4h", "4s", d, n) }

// FCVTN2 puts them into the upper half of d; the lower stays.
func (p *Printer) FCVTN2(d, n V) { p.two(0x0e216800|upper, "fcvtn2", "8h", "4s", d, n) }

// FCVTL is d = the float16 of n's lower half as float32.
func (p *Printer) FCVTL(d, n V) { p.two(0x0e217800, "fcvtl", "4s", "4h", d, n) }

// FCVTL2 is d = the float16 of n's upper half as float32.
func (p *Printer) FCVTL2(d, n V) { p.two(0x4e217800, "fcvtl2", "4s", "8h", d, n) }

// The same on two float64, of which a half of a register widens to two.

const double = 1 << 22 // the bit that says so

// FADDD is d = n + m.
func (p *Printer) FADDD(d, n, m V) { p.three(0x4e20d400|double, "fadd", D, d, n, m) }

// FSUBD is d = n - m.
func (p *Printer) FSUBD(d, n, m V) { p.three(0x4ea0d400|double, "fsub", D, d, n, m) }

// FMULD is d = n * m.
func (p *Printer) FMULD(d, n, m V) { p.three(0x6e20dc00|double, "fmul", D, d, n, m) }

// FMAXD is the larger; NaN in either gives NaN.
func (p *Printer) FMAXD(d, n, m V) { p.three(0x4e20f400|double, "fmax", D, d, n, m) }

// FABSD is d = |n|.
func (p *Printer) FABSD(d, n V) { p.two(0x4ea0f800|double, "fabs", "2d", "2d", d, n) }

// FCVTLD widens the float32 of n's lower half.
func (p *Printer) FCVTLD(d, n V) { p.two(0x0e217800|double, "fcvtl", "2d", "2s", d, n) }

// FCVTL2D widens those of its upper half.
func (p *Printer) FCVTL2D(d, n V) { p.two(0x4e217800|double, "fcvtl2", "2d", "4s", d, n) }
