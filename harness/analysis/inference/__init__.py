"""What a few training seeds and a test set allow to say: pure functions over arrays (docs/statistics.md).

====================  ==================================================================================================
:mod:`cells`          intervals of means over seeds, with strength borrowed from the benchmark's other methods
:mod:`scales`         how the spread of seeds depends on the mean: percentages, errors, anything else
:mod:`moderation`     the borrowing itself
:mod:`mixtures`       Student's t with uncertain scales; the sum of two
:mod:`samples`        interval of one model's score over test samples
:mod:`pairs`          all methods of a benchmark against each other
:mod:`hierarchical`   two methods over seeds and test samples at once
:mod:`power`          what a number of seeds can show, and how to say that they show nothing
:mod:`ranking`        reliability of an order, intervals of ranks, letters of methods that cannot be told apart
:mod:`friedman`       methods over several benchmarks by their ranks
:mod:`aggregates`     mean rank, interquartile mean and performance profile over benchmarks
:mod:`signed_rank`    Bayesian signed-rank test with a region of practical equivalence
:mod:`pareto`         methods that are worth their cost
:mod:`change_points`  where the mean of a series changes
====================  ==================================================================================================
"""
