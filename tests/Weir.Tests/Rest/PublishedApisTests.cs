using Microsoft.Extensions.Time.Testing;
using Weir.Configuration;
using Weir.Errors;
using Weir.Postgres;
using Weir.Rest;
using Weir.Tests.Infrastructure;

namespace Weir.Tests.Rest;

public sealed class PublishedApisTests(TestDatabase database) : IClassFixture<TestDatabase>
{
    [Fact]
    public async Task F08_who_is_not_signed_in_makes_nobody_read_the_names_again()
    {
        var time = new FakeTimeProvider();
        var queries = new RestQueries(database.Pools, database.Users, new RestConfig());
        var apis = new PublishedApis(queries, time);
        var api = new RestApi(apis, queries, RestLimits.ShareOf(new RestConfig(), time), new RestConfig());
        var nobody = new RestCall(null, [], null, new RestFormat(RestShape.Array, false), Count: false, ReadOnly: true);
        (await Should.ThrowAsync<RestException>(() => api.ReadAsync("missing", nobody, default))).Code.ShouldBe("PGRST205");
        await database.Superuser.ExecuteAsync("alter function weir.published_columns() rename to moved", [], default);
        time.Advance(TimeSpan.FromMinutes(1));

        (await Should.ThrowAsync<RestException>(() => api.ReadAsync("missing", nobody, default))).Code.ShouldBe("PGRST205");
        (await Should.ThrowAsync<RestException>(() => api.CallAsync("missing", null, nobody, default))).Code.ShouldBe("PGRST202");
        await Should.ThrowAsync<WeirException>(() => api.ReadAsync("missing", nobody with { UserId = Guid.Empty }, default));

        // A failure is nobody's for ever.
        await database.Superuser.ExecuteAsync("alter function weir.moved() rename to published_columns", [], default);
        (await apis.ReadAgainAsync(default)).Relation("agents").ShouldNotBeNull();
    }
}
