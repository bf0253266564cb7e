using Npgsql;
using Weir.Configuration;
using Weir.Errors;
using Weir.Postgres;
using Weir.Tests.Infrastructure;

namespace Weir.Tests.Postgres;

public sealed class DatabaseErrorsTests(TestDatabase database) : IClassFixture<TestDatabase>
{
    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("WR001", nameof(ErrorCode.InvalidArgument))]
    [InlineData("WR007", nameof(ErrorCode.Changing))]
    [InlineData("42501", nameof(ErrorCode.Forbidden))]
    [InlineData("57014", nameof(ErrorCode.Unavailable))]
    [InlineData("53300", nameof(ErrorCode.Unavailable))]
    [InlineData("08006", nameof(ErrorCode.Unavailable))]
    [InlineData("25006", nameof(ErrorCode.Unavailable))]
    [InlineData("25P03", nameof(ErrorCode.Unavailable))]
    [InlineData("25P04", nameof(ErrorCode.Unavailable))]
    [InlineData("40001", nameof(ErrorCode.Unavailable))]
    [InlineData("40003", nameof(ErrorCode.Unavailable))]
    [InlineData("40P01", nameof(ErrorCode.Unavailable))]
    [InlineData("53100", nameof(ErrorCode.Unavailable))]
    [InlineData("53200", nameof(ErrorCode.Unavailable))]
    [InlineData("55P03", nameof(ErrorCode.Unavailable))]
    [InlineData("57P01", nameof(ErrorCode.Unavailable))]
    [InlineData("57P03", nameof(ErrorCode.Unavailable))]
    [InlineData("58030", nameof(ErrorCode.Unavailable))]
    [InlineData("22021", nameof(ErrorCode.InvalidArgument))]
    [InlineData("22P02", nameof(ErrorCode.InvalidArgument))]
    [InlineData("22P05", nameof(ErrorCode.InvalidArgument))]
    [InlineData("23505", nameof(ErrorCode.Internal))]
    [InlineData("WR999", nameof(ErrorCode.Internal))]
    public async Task Each_sqlstate_has_its_code(string sqlstate, string code)
    {
        var error = await Should.ThrowAsync<WeirException>(() => database.Owner.ExecuteAsync(
            $"do $$ begin raise exception 'said by the database' using errcode = '{sqlstate}', hint = 'a hint'; end $$", [], Cancelled));

        error.Code.ToString().ShouldBe(code);
        error.Message.Contains("said by the database", StringComparison.Ordinal).ShouldBe(sqlstate is "WR001" or "WR007");
        error.InnerException.ShouldBeOfType<PostgresException>();
    }

    [Fact]
    public async Task A_database_that_is_not_there_is_unavailable()
    {
        await using var pools = Databases.Open(
            new DatabaseConfig
            {
                Url = "postgresql://weir_gateway:x@127.0.0.1:1/weir",
                EngineUrl = "postgresql://weir_engine:x@127.0.0.1:1/weir",
            });
        var error = await Should.ThrowAsync<WeirException>(() => pools.Engine.ScalarAsync<int>("select 1", [], Cancelled));

        error.Code.ShouldBe(ErrorCode.Unavailable);
    }

    [Fact]
    public async Task A_statement_that_takes_too_long_is_unavailable()
    {
        await using var pools = Databases.Open(database.Config with { CommandTimeoutSeconds = 1 });

        (await Should.ThrowAsync<WeirException>(() => pools.Engine.ExecuteAsync("select pg_sleep(30)", [], Cancelled))).Code.ShouldBe(
            ErrorCode.Unavailable);
    }

    [Fact]
    public async Task A_cancelled_call_is_a_cancelled_call()
    {
        using var cancel = CancellationTokenSource.CreateLinkedTokenSource(Cancelled);
        var call = database.Pools.Engine.ExecuteAsync("select pg_sleep(30)", [], cancel.Token);
        await cancel.CancelAsync();

        await Should.ThrowAsync<OperationCanceledException>(() => call);
    }
}
