using Weir.Errors;
using Weir.Postgres;
using Weir.Tests.Infrastructure;

namespace Weir.Tests.Nodes;

public sealed class FailureCodesTests(TestDatabase database) : IClassFixture<TestDatabase>
{
    [Fact]
    public async Task The_database_has_the_programs_list_of_reasons_with_the_same_sentences() => (await database.Superuser.QueryAsync(
        "select code, sentence from weir.failure_codes", [], r => KeyValuePair.Create(r.GetString(0), r.GetString(1)),
        TestContext.Current.CancellationToken))
        .ShouldBe(FailureCodes.All, ignoreOrder: true);
}
