using Xunit.Sdk;
using Xunit.v3;

[assembly: TestCollectionOrderer(typeof(Weir.Tests.Infrastructure.LongestFirst))]

namespace Weir.Tests.Infrastructure;

/// <summary>
/// The classes that take minutes begin first: at the end of a run nobody waits for one that began last. <c>artifacts/tests.xml</c>
/// has the time of each; the others come in the order of their names, so that a run is like the one before it.
/// </summary>
internal sealed class LongestFirst : ITestCollectionOrderer
{
    private static readonly string[] Long =
    [
        "Journeys.Faults.FaultTrialTests", "Database.WorldTests", "Rest.RestArgumentTests", "Isolation.IsolationAttackTests",
        "NodeAgent.LifecycleTests",
        "Nodes.NodeOperationsTests",
        "Journeys.ClientMessageFuzzTests", "Database.PgTap", "NodeAgent.ProcessTests", "Journeys.StdioServersTests",
    ];

    public IReadOnlyCollection<TTestCollection> OrderTestCollections<TTestCollection>(IReadOnlyCollection<TTestCollection> testCollections)
        where TTestCollection : ITestCollection =>
        [
            .. testCollections.OrderBy(c => Place(c.TestCollectionDisplayName))
                .ThenBy(c => c.TestCollectionDisplayName, StringComparer.Ordinal),
        ];

    private static int Place(string name)
    {
        var place = Array.FindIndex(Long, part => name.Contains("Weir.Tests." + part, StringComparison.Ordinal));
        return place < 0 ? Long.Length : place;
    }
}
