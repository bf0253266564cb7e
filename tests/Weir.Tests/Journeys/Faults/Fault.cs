namespace Weir.Tests.Journeys.Faults;

/// <summary>Something that happens to one part.</summary>
/// <param name="Name">As it is printed.</param>
/// <param name="Strike">Returns when it has taken effect, with what there is to say of it.</param>
/// <param name="Mend">Begins what ends it: starts the part again, lets the lock go.</param>
internal sealed record Fault(string Name, Func<Task<string>> Strike, Func<Task> Mend)
{
    /// <summary>The replica whose connections break.</summary>
    public int? Replica { get; init; }

    /// <summary>The replica is asked to stop, and loses nothing that it has admitted.</summary>
    public bool IsOrderly { get; init; }

    /// <summary>A replica, or its connection to the database, is killed: what was admitted in this moment has no outcome.</summary>
    public bool LosesOutcomes { get; init; }
}

/// <summary>A fault that was, from its beginning until every path answered again.</summary>
/// <param name="Down">How long it lasted.</param>
/// <param name="Start">How long the part took to start again.</param>
/// <param name="Recovery">From then until every path answered.</param>
/// <param name="Slowest">The path that answered last.</param>
/// <param name="Told">From then until the states of the instances said so.</param>
internal sealed record Struck(
    Fault Fault, DateTimeOffset From, DateTimeOffset To, TimeSpan Down, TimeSpan Start, TimeSpan Recovery, string Slowest, TimeSpan Told,
    string Note);
