"""RankSVM (Joachims 2002; Chapelle & Keerthi 2010; Parikh & Grauman 2011), solved without forming pair differences.

`RankSVM` fits one ranking function, `fit_many` fits several that share each pass over the features, and `RankSVMCV`
selects ``C`` by cross-validation grouped by image.
"""

from relattr.ranksvm.cross_validation import RankSVMCV
from relattr.ranksvm.estimator import RankSVM, fit_many

__all__ = ["RankSVM", "RankSVMCV", "fit_many"]
