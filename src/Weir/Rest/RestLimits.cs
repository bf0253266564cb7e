using Weir.Configuration;
using Weir.Limits;

namespace Weir.Rest;

/// <summary>How much one query may say. The time that it may take is bounded beside this.</summary>
internal static class RestLimits
{
    public const int Conditions = 64;
    public const int Depth = 8;
    public const int ListValues = 1000;
    public const int Columns = 100;
    public const int Orderings = 16;

    /// <summary>How often one column, or one path into it, may be selected: a hundred copies of a large one are no table.</summary>
    public const int SameField = 4;

    /// <summary>Requests of one caller that wait for one of their own to end.</summary>
    public const int Waiting = 64;
    public const int PathSteps = 8;

    /// <summary>Characters of a <c>like</c> or <c>match</c>.</summary>
    public const int Pattern = 256;

    /// <summary>Levels of a body's JSON.</summary>
    public const int BodyDepth = 64;

    /// <summary>Names and values of a body's JSON: each costs more memory than its bytes.</summary>
    public const int BodyValues = 100_000;

    /// <summary>What one caller has of the pool at once.</summary>
    public static PerCallerQueue ShareOf(RestConfig config, TimeProvider time) =>
        new(config.MaxConcurrent, Waiting, TimeSpan.FromSeconds(config.TimeoutSeconds), time);
}
