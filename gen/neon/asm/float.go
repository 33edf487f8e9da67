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

// FMLA is d += n * m, rounded once.
func (p *Printer) FMLA(d, n, m V) { p.full("VFMLA", S, d, n, m) }

// FMLS is d -= n * m, rounded once.
func (p *Printer) FMLS(d, n, m V) { p.full("VFMLS", S, d, n, m) }

// FABS is d = |n|.
func (p *Printer) FABS(d, n V) { p.same(0x4ea0f800, "fabs", S, d, n) }

// FNEG is d = -n.
func (p *Printer) FNEG(d, n V) { p.same(0x6ea0f800, "fneg", S, d, n) }

// FRINTN is d = n rounded to an integer, half to even.
func (p *Printer) FRINTN(d, n V) { p.same(0x4e218800, "frintn", S, d, n) }

// Maxima and minima order -0 below +0. Those without NM in their name return a
// NaN if either operand is one; those with it prefer the number to a quiet NaN.

// FMAX is d = max(n, m), NaN if either is.
func (p *Printer) FMAX(d, n, m V) { p.three(0x4e20f400, "fmax", S, d, n, m) }

// FMIN is d = min(n, m), NaN if either is.
func (p *Printer) FMIN(d, n, m V) { p.three(0x4ea0f400, "fmin", S, d, n, m) }

// FMAXNM is d = max(n, m), the number if one is a quiet NaN.
func (p *Printer) FMAXNM(d, n, m V) { p.three(0x4e20c400, "fmaxnm", S, d, n, m) }

// FMINNM is d = min(n, m), the number if one is a quiet NaN.
func (p *Printer) FMINNM(d, n, m V) { p.three(0x4ea0c400, "fminnm", S, d, n, m) }

// FMAXP has in d the maxima of n's two pairs of neighbours, then of m's, NaN if either is.
func (p *Printer) FMAXP(d, n, m V) { p.three(0x6e20f400, "fmaxp", S, d, n, m) }

// FMINP has in d the minima of n's two pairs of neighbours, then of m's, NaN if either is.
func (p *Printer) FMINP(d, n, m V) { p.three(0x6ea0f400, "fminp", S, d, n, m) }

// FMAXV has in lane 0 of d the largest element of n, NaN if one is; the rest of d is 0.
func (p *Printer) FMAXV(d, n V) { p.across(0x6e30f800, "fmaxv", S, d, n) }

// FMINV has in lane 0 of d the smallest element of n, NaN if one is; the rest of d is 0.
func (p *Printer) FMINV(d, n V) { p.across(0x6eb0f800, "fminv", S, d, n) }

// FMAXNMV has in lane 0 of d the largest element of n that is no quiet NaN; the rest of d is 0.
func (p *Printer) FMAXNMV(d, n V) { p.across(0x6e30c800, "fmaxnmv", S, d, n) }

// FMINNMV has in lane 0 of d the smallest element of n that is no quiet NaN; the rest of d is 0.
func (p *Printer) FMINNMV(d, n V) { p.across(0x6eb0c800, "fminnmv", S, d, n) }

// Comparisons give all ones where they hold, else 0; with a NaN none holds.

// FCMEQ is d = n == m.
func (p *Printer) FCMEQ(d, n, m V) { p.three(0x4e20e400, "fcmeq", S, d, n, m) }

// FCMGE is d = n >= m.
func (p *Printer) FCMGE(d, n, m V) { p.three(0x6e20e400, "fcmge", S, d, n, m) }

// FCMGT is d = n > m.
func (p *Printer) FCMGT(d, n, m V) { p.three(0x6ea0e400, "fcmgt", S, d, n, m) }

// FCVTNS is d = int32(n), rounded half to even, saturating; NaN gives 0.
func (p *Printer) FCVTNS(d, n V) { p.same(0x4e21a800, "fcvtns", S, d, n) }

// FCVTZS is d = int32(n), rounded towards zero, saturating; NaN gives 0.
func (p *Printer) FCVTZS(d, n V) { p.same(0x4ea1b800, "fcvtzs", S, d, n) }

// SCVTF is d = float32(n), n int32.
func (p *Printer) SCVTF(d, n V) { p.same(0x4e21d800, "scvtf", S, d, n) }

// UCVTF is d = float32(n), n uint32.
func (p *Printer) UCVTF(d, n V) { p.same(0x6e21d800, "ucvtf", S, d, n) }

// FCVTN has in the lower half of d the elements of n as float16; the upper half is 0.
func (p *Printer) FCVTN(d, n V) { p.two(0x0e216800, "fcvtn", "4h", "4s", d, n) }

// FCVTN2 has in the upper half of d the elements of n as float16; the lower half stays.
func (p *Printer) FCVTN2(d, n V) { p.two(0x4e216800, "fcvtn2", "8h", "4s", d, n) }

// FCVTL is d = the float16 of n's lower half as float32.
func (p *Printer) FCVTL(d, n V) { p.two(0x0e217800, "fcvtl", "4s", "4h", d, n) }

// FCVTL2 is d = the float16 of n's upper half as float32.
func (p *Printer) FCVTL2(d, n V) { p.two(0x4e217800, "fcvtl2", "4s", "8h", d, n) }
