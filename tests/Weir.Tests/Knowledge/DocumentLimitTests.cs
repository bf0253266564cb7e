using System.Net;
using Microsoft.Extensions.DependencyInjection;
using Weir.Configuration;
using Weir.Knowledge;
using Weir.Tests.Infrastructure;

namespace Weir.Tests.Knowledge;

/// <summary>A replica that lets everybody have one open request about documents.</summary>
public sealed class NarrowKnowledgeWorld(TestCluster cluster) : KnowledgeWorld(cluster)
{
    private protected override WeirConfig Configure(WeirConfig config) =>
        config with { Knowledge = config.Knowledge with { MaxConcurrentPerPerson = 1 } };
}

/// <summary>Documents cost money where they are embedded, and so do questions.</summary>
public sealed class DocumentLimitTests(NarrowKnowledgeWorld weir) : IClassFixture<NarrowKnowledgeWorld>
{
    [Fact]
    public async Task A33_a_request_too_many_is_refused_before_anything_is_saved_and_takes_nothing_from_others()
    {
        var (agent, datastore) = await weir.CreateAsync();
        var document = $$"""{"datastoreId":"{{datastore}}","title":"One","content":"kangaroo"}""";
        var question = $$"""{"agentId":"{{agent}}","query":"kangaroo"}""";
        using (weir.Services.GetRequiredService<DocumentLimits>().Enter(weir.World.OwnerId))
        {
            foreach (var (path, body) in (IEnumerable<(string, string)>)[
                ("/functions/v1/documents", document), ("/functions/v1/documents/search", question),
            ])
            {
                var (status, refused) = await weir.PostAsync(path, body);
                status.ShouldBe(HttpStatusCode.TooManyRequests);
                refused.ToString().ShouldContain("WR008");
            }

            var stranger = await World.CreateAsync(weir.Database);
            (await weir.PostAsync("/functions/v1/documents/search", question, weir.TokenOf(stranger.OwnerId))).Status.ShouldBe(
                HttpStatusCode.NotFound, "who has nothing open is answered, whatever it is");
        }

        (await weir.TitlesAsync(agent, "kangaroo")).ShouldBeEmpty();
        (await weir.PostAsync("/functions/v1/documents", document)).Status.ShouldBe(HttpStatusCode.OK);
        (await weir.PostAsync("/functions/v1/documents/search", question)).Status.ShouldBe(HttpStatusCode.OK);
    }
}
