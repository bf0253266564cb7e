using Weir.Configuration;
using Weir.Errors;
using Weir.Postgres;
using Weir.Postgres.Doctor;
using Weir.Tests.Infrastructure;

namespace Weir.Tests.Postgres;

public sealed class LoginProbeTests(TestDatabase database) : IClassFixture<TestDatabase>
{
    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public Task The_two_logins_of_the_migration_may_serve() => LoginProbe.RefuseUnfitAsync(database.Pools, Cancelled);

    [Fact]
    public async Task T18_a_superuser_is_refused() =>
        (await RefusalAsync(TestCluster.InDatabase(database.Cluster.Postgres.SuperuserUrl("postgres"), database.Name))).ShouldContain(
            "is a superuser");

    [Fact]
    public async Task T18_the_owner_is_refused() => (await RefusalAsync(database.OwnerUrl)).ShouldContain("roles");

    [Fact]
    public async Task The_engine_in_the_gateways_place_is_refused() =>
    (await RefusalAsync(database.EngineUrl)).ShouldContain("another name");

    private async Task<string> RefusalAsync(string gatewayUrl)
    {
        await using var pools = Databases.Open(new DatabaseConfig { Url = gatewayUrl, EngineUrl = database.EngineUrl });
        var refusal = await Should.ThrowAsync<WeirException>(() => LoginProbe.RefuseUnfitAsync(pools, Cancelled));
        refusal.Code.ShouldBe(ErrorCode.Forbidden);
        return refusal.Message;
    }
}
